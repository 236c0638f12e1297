"""Finds user code that computes for so long that its worker's other users wait for it."""

from __future__ import annotations

import signal
from collections.abc import Callable, Sequence
from pathlib import Path
from types import FrameType, ModuleType

import gevent

from harness.messages import Message, message

BLOCKED_S = 1.0
"""CPU time without a turn of the event loop."""
_OURS = (Path(__file__).parents[1], Path(gevent.__file__).parent)


class BlockWatch:
    """Watches this process, as long as :meth:`reset` is called in each turn of the event loop or some times a second.

    The timer counts the process's own CPU time, so that a busy machine sets off no alarm.
    """

    def __init__(self, scenario: Sequence[ModuleType], report: Callable[[Message], None]) -> None:
        self._folders = {Path(module.__file__).parent for module in scenario if module.__file__}
        self._report = report
        signal.signal(signal.SIGVTALRM, self._on_alarm)

    def reset(self) -> None:
        signal.setitimer(signal.ITIMER_VIRTUAL, BLOCKED_S)

    def _on_alarm(self, _: int, frame: FrameType | None) -> None:
        while frame is not None:
            file = Path(frame.f_code.co_filename)
            if any(file.is_relative_to(folder) for folder in _OURS):
                return  # user code called it, but does not compute itself
            if "site-packages" not in file.parts and any(file.is_relative_to(folder) for folder in self._folders):
                location = f"{file}:{frame.f_lineno}"
                self._report(message("event-loop-blocked", location=location, limit_s=BLOCKED_S))
                return
            frame = frame.f_back

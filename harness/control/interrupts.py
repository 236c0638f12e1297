"""What ends a run from outside: Ctrl-C, Ctrl-\\, SIGTERM, and a closed terminal: each is an interruption.

Before and after the load they raise ``KeyboardInterrupt`` (:func:`raise_on_signals`), so that all which was started is
ended on the way out; while the load runs they are counted (:class:`Interrupts`): the first ends it in order, the
second cuts requests off.
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable
from types import FrameType, TracebackType
from typing import Self

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)


def raise_on_signals() -> None:
    """Have each of the signals raise ``KeyboardInterrupt`` in the main thread, as Python does for SIGINT by itself."""
    terminals = _terminals()

    def on_signal(number: int, frame: FrameType | None) -> None:  # noqa: ARG001  (the signature of a handler)
        if number == signal.SIGHUP:
            _leave(terminals)
        raise KeyboardInterrupt

    _handle(on_signal)


class Interrupts:
    """A context manager that counts the signals instead of raising.

    Only the main thread may handle signals: in another one (of a program that calls ``harness.run``) none is counted.
    """

    def __init__(self) -> None:
        self.count = 0
        self._former: dict[int, object] = {}
        self._terminals: list[int] = []

    def _on_signal(self, number: int, frame: FrameType | None) -> None:  # noqa: ARG002  (the signature of a handler)
        self.count += 1
        if number == signal.SIGHUP:
            _leave(self._terminals)

    def __enter__(self) -> Self:
        self._terminals = _terminals()
        if threading.current_thread() is threading.main_thread():
            self._former = _handle(self._on_signal)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._former.items():
            signal.signal(number, handler)  # type: ignore[arg-type]  # what signal.signal itself returned


def _handle(handler: Callable[[int, FrameType | None], None]) -> dict[int, object]:
    """Set the handler of each signal; the former ones. Under ``nohup`` a closed terminal stays without effect."""
    handled = [n for n in _SIGNALS if n != signal.SIGHUP or signal.getsignal(n) is not signal.SIG_IGN]
    return {number: signal.signal(number, handler) for number in handled}


def _terminals() -> list[int]:
    return [output for output in (1, 2) if os.isatty(output)]


def _leave(terminals: list[int]) -> None:
    """Write nowhere from now on: nobody reads, each write would fail, and the run must still get its report."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for terminal in terminals:
        os.dup2(nowhere, terminal)
    os.close(nowhere)

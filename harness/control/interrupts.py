"""Ctrl-C, SIGTERM and a closed terminal while a run lasts: the first ends it in order, the second cuts requests off."""

from __future__ import annotations

import os
import signal
from types import FrameType, TracebackType
from typing import Self


class Interrupts:
    """A context manager that counts the interrupts instead of raising ``KeyboardInterrupt``. Main thread only."""

    _SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

    def __init__(self) -> None:
        self.count = 0
        self._former: dict[int, object] = {}
        self._terminals: list[int] = []

    def _on_signal(self, number: int, frame: FrameType | None) -> None:  # noqa: ARG002  (the signature of a handler)
        self.count += 1
        if number == signal.SIGHUP:
            # Nobody reads any more, and each write would fail: the run must still get its report.
            nowhere = os.open(os.devnull, os.O_WRONLY)
            for terminal in self._terminals:
                os.dup2(nowhere, terminal)
            os.close(nowhere)

    def __enter__(self) -> Self:
        self._terminals = [output for output in (1, 2) if os.isatty(output)]
        for number in self._SIGNALS:
            self._former[number] = signal.signal(number, self._on_signal)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._former.items():
            signal.signal(number, handler)  # type: ignore[arg-type]  # what signal.signal itself returned

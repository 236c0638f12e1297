"""Signals that interrupt a run: Ctrl-C, Ctrl-\\, SIGTERM, and a closed terminal.

Before the load starts they raise ``KeyboardInterrupt`` (:func:`raise_on_signals`), so that everything is cleaned up on
the way out. While the load runs they are counted (:class:`Interrupts`): the first ends it in order, the second aborts
running requests, the third kills the load.
"""

from __future__ import annotations

import _thread
import atexit
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from types import FrameType
from typing import Self

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)
_IMPORTING = "<frozen importlib._bootstrap>"
_AGAIN_S = 0.01


def raise_on_signals(*, ignored: int = 0) -> None:
    """Let each of the signals but the first ``ignored`` raise ``KeyboardInterrupt`` in the main thread.

    A command whose result is there ignores one: it comes too late to interrupt anything, and would hide the result.
    """
    terminals = _terminals()
    received = 0

    def on_signal(number: int, frame: FrameType | None) -> None:
        nonlocal received
        if frame is not None and frame.f_code.co_filename == _IMPORTING:
            _signal_again(number)  # here, an exception might leave the import lock held: every thread would hang
            return
        received += 1
        if number == signal.SIGHUP:
            _discard_output(terminals)
        if received > ignored:
            raise KeyboardInterrupt

    _handle(on_signal)
    sys.unraisablehook = _on_swallowed
    if ignored:
        _ignore_at_the_end()


def _on_swallowed(error: sys.UnraisableHookArgs) -> None:
    """Python swallows what is raised in a destructor, or in the callback of a weak reference: interrupts, too."""
    if issubclass(error.exc_type, KeyboardInterrupt):
        _signal_again(signal.SIGINT)
    else:
        sys.__unraisablehook__(error)


def _signal_again(number: int) -> None:
    """Send this process the signal once more, a moment later."""

    def send() -> None:
        time.sleep(_AGAIN_S)
        os.kill(os.getpid(), number)

    _thread.start_new_thread(send, ())  # not a Thread: its start takes a lock, which the main thread may hold


def ignore_signals() -> None:
    """Let no signal take the place of the exit code of a command that is about to end."""
    _handle(lambda *_: None)
    _ignore_at_the_end()


def _ignore_at_the_end() -> None:
    # While Python ends, it restores the default handlers of signals that it handles.
    atexit.register(_handle, signal.SIG_IGN)


class Interrupts:
    """A context manager that counts signals instead of raising.

    Python handles signals only in the main thread. In another thread of a program that calls ``harness.run``, none is
    counted.
    """

    def __init__(self) -> None:
        self.count = 0
        self._former: dict[int, object] = {}
        self._terminals: list[int] = []

    def _on_signal(self, number: int, frame: FrameType | None) -> None:  # noqa: ARG002  (the signature of a handler)
        self.count += 1
        if number == signal.SIGHUP:
            _discard_output(self._terminals)

    def __enter__(self) -> Self:
        self._terminals = _terminals()
        if threading.current_thread() is threading.main_thread():
            self._former = _handle(self._on_signal)
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._former.items():
            signal.signal(number, handler)  # type: ignore[arg-type]  # what signal.signal itself returned


def _handle(handler: Callable[[int, FrameType | None], None] | signal.Handlers) -> dict[int, object]:
    """Set the handler of each signal, and return the former ones. Under ``nohup``, SIGHUP stays ignored."""
    handled = [n for n in _SIGNALS if n != signal.SIGHUP or signal.getsignal(n) is not signal.SIG_IGN]
    return {number: signal.signal(number, handler) for number in handled}


def _terminals() -> list[int]:
    return [output for output in (1, 2) if os.isatty(output)]


def _discard_output(terminals: list[int]) -> None:
    """Discard output from now on: writes to a closed terminal would fail, and the run still needs its report."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for terminal in terminals:
        os.dup2(nowhere, terminal)
    os.close(nowhere)

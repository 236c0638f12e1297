"""Calls ``harness`` in this process: a fresh one for each of many short commands would take minutes.

A run of one second takes 1 s of CPU here and 3.6 s in a process of its own: all is imported, and the fork server is
borrowed from the runs before.
"""

from __future__ import annotations

import io
import json
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, redirect_stderr, redirect_stdout, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest

from harness.cli import main
from harness.errors import HarnessError
from tests.support.fork_servers import borrowing


@dataclass
class Said:
    """What a command printed: ``out`` is for programs, ``err`` for people."""

    exit_code: int
    out: str
    err: str
    error: HarnessError | None = None
    """What ended it, if the product refused something."""

    @property
    def code(self) -> str | None:
        """The code of :attr:`error`."""
        return None if self.error is None else self.error.code

    @property
    def json(self) -> Any:
        return json.loads(self.out)


def harness(
    *words: str | Path, store: str = "", cwd: Path | None = None, meanwhile: Callable[[], object] | None = None
) -> Said:
    """What ``harness WORDS`` does in ``cwd``, with ``store`` as ``HARNESS_STORE``.

    ``meanwhile`` is called in a thread beside it. If that fails, the command is interrupted.
    """
    out, err = io.StringIO(), io.StringIO()
    runs = True

    def act() -> None:
        assert meanwhile is not None
        try:
            meanwhile()
        except BaseException:  # any error: otherwise the command would continue, and the test wait for its end
            if runs:
                press_ctrl_c()
            raise

    with (
        pytest.MonkeyPatch.context() as patch,
        redirect_stdout(out),
        redirect_stderr(err),
        borrowing(),
        _handlers_kept(),
        ThreadPoolExecutor(1) as beside,
    ):
        patch.setattr(sys, "argv", ["harness", *map(str, words)])
        patch.setenv("HARNESS_STORE", store)
        if cwd is not None:
            patch.chdir(cwd)
        acting = None if meanwhile is None else beside.submit(act)
        with pytest.raises(SystemExit) as ended:
            main()
        runs = False
    if acting is not None and (failed := acting.exception()) is not None:
        failed.add_note(err.getvalue())
        raise failed
    assert isinstance(ended.value.code, int)
    cause = ended.value.__context__
    return Said(
        ended.value.code, out.getvalue(), err.getvalue(), error=cause if isinstance(cause, HarnessError) else None
    )


@contextmanager
def _handlers_kept() -> Iterator[None]:
    """Restore what handles signals, and interrupts that Python swallows: a command sets its own until its end."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGQUIT)}
    hook = sys.unraisablehook
    try:
        yield
    finally:
        sys.unraisablehook = hook
        for number, handler in before.items():
            signal.signal(number, handler)


def press_ctrl_c() -> None:
    """For ``meanwhile``: interrupt the command."""
    signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)


def running_in(folder: Path, word: str | None = None) -> list[psutil.Process]:
    """What a command in ``folder`` has started and has not ended; only that which has ``word`` in its command line."""
    found = []
    for path in Path("/proc").glob("[0-9]*"):
        with suppress(OSError, psutil.NoSuchProcess):  # it has already ended
            if (path / "cwd").readlink() == folder and int(path.name) != os.getpid():
                process = psutil.Process(int(path.name))
                found += [process] if word is None or word in process.cmdline() else []
    return sorted(found, key=lambda process: process.pid)

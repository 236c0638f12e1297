"""One pytest session as a child process: started, its output handed on, ended whatever happens to us."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from harness.errors import HarnessError, how_to_install
from harness.sampling.child import start_child

_POLL_S = 0.05
_END_TIMEOUT_S = 10.0
_MODES = ("--benchmark-only", "--benchmark-enable")
"""What ``options`` say of each session; a tracing one has neither."""
_OURS = ("--benchmark-json", "--harness-bench")


@dataclass(frozen=True, slots=True)
class Ended:
    """``status`` is pytest's exit status, negative where a signal ended it."""

    status: int
    interrupted: bool


def need_pytest_benchmark(arguments: Sequence[str]) -> None:
    """Raises :class:`HarnessError` where pytest or pytest-benchmark is missing, or an argument is one of ours."""
    missing = [name for name in ("pytest", "pytest_benchmark") if importlib.util.find_spec(name) is None]
    if missing:
        names = " and ".join(name.replace("_", "-") for name in missing)
        raise HarnessError(f"{names} is not installed beside the harness", hint=how_to_install("bench"))
    for argument in arguments:
        if argument.partition("=")[0] in _OURS:
            raise HarnessError(
                "the harness gives this itself", where=argument, hint="benchmark.json lies in the run folder."
            )


def pytest_command(arguments: Sequence[str], request: Path, options: Sequence[str]) -> list[str]:
    """The command of a session: the user's arguments, then ours, which come last so that they hold.

    Benchmarks run in one process, one after the other: under pytest-xdist pytest-benchmark measures nothing.
    """
    alone = ["-n0", "--dist=no"] if importlib.util.find_spec("xdist") else []
    ours = ["-p", "harness.bench.plugin", "--harness-bench", str(request), *alone]
    given = [argument for argument in arguments if argument not in _MODES]
    return [sys.executable, "-m", "pytest", *given, *ours, *options]


class Session:
    """A running pytest. A context manager: on leaving, nothing of it is left."""

    def __init__(self, command: Sequence[str], log: Path, hear: Callable[[str], None]) -> None:
        self._log = log.open("ab")
        self._hear = hear
        self._process = start_child(command, subprocess.PIPE, subprocess.STDOUT)
        assert self._process.stdout is not None
        self._reader = threading.Thread(target=self._read, args=(self._process.stdout,), daemon=True)
        self._reader.start()

    @property
    def pid(self) -> int:
        return self._process.pid

    def wait(self, interrupts: Callable[[], int]) -> Ended:
        """Until it has ended. The first interrupt is handed on, so that pytest ends in order; a second one kills it."""
        handed_on = 0
        while self._process.poll() is None:
            count = interrupts()
            if count > handed_on:
                self._process.send_signal(signal.SIGINT if handed_on == 0 else signal.SIGKILL)
                handed_on = count
            time.sleep(_POLL_S)
        return Ended(self._process.returncode, interrupted=handed_on > 0)

    def __enter__(self) -> Session:
        return self

    def __exit__(self, *_: object) -> None:
        # Its session's other processes too: a test may have started some. They hold the pipe open.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait(_END_TIMEOUT_S)
        self._reader.join(_END_TIMEOUT_S)
        self._log.close()

    def _read(self, output: IO[bytes]) -> None:
        with output:
            while piece := output.read1(1 << 16):  # type: ignore[attr-defined]  # a pipe's reader is buffered
                self._log.write(piece)
                self._log.flush()
                self._hear(piece.decode("utf-8", "replace"))

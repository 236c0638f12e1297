"""One pytest session as a child process: started, its output redacted and handed on, ended whatever happens to us."""

from __future__ import annotations

import codecs
import contextlib
import importlib.util
import os
import shlex
import signal
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from harness.errors import HarnessError, how_to_install
from harness.plan.bench import BenchPlan
from harness.record.redacted_lines import RedactedLines
from harness.targets.supervised_process import SupervisedProcess

_POLL_S = 0.05
_END_TIMEOUT_S = 10.0
WENT_WELL = (0, 1)
"""pytest's exit statuses where it ran to its end: all tests passed, or one failed."""
_MODES = ("--benchmark-only", "--benchmark-enable")
"""What ``options`` say of each session; a tracing one has neither."""
_OURS = ("--benchmark-json", "--harness-bench")
_JUDGES = "--benchmark-compare-fail"


@dataclass(frozen=True, slots=True)
class Ended:
    """``status`` is pytest's exit status, negative where a signal ended it."""

    status: int
    interrupted: bool


def need_pytest_benchmark(arguments: Sequence[str]) -> None:
    """Raises :class:`HarnessError` where pytest or pytest-benchmark is missing, or an argument is not for a user."""
    missing = [name for name in ("pytest", "pytest_benchmark") if importlib.util.find_spec(name) is None]
    if missing:
        names = " and ".join(name.replace("_", "-") for name in missing)
        raise HarnessError(f"{names} is not installed beside the harness", hint=how_to_install("bench"))
    for argument in arguments:
        name = argument.partition("=")[0]
        if name == _JUDGES:
            raise HarnessError(
                "gates judge here, and pytest-benchmark does not",
                where=argument,
                hint="""Keep a baseline, and write: --gate 'bench("test_*").mean <= baseline + 10%'""",
            )
        if name in _OURS:
            raise HarnessError(
                "the harness gives this itself", where=argument, hint="benchmark.json lies in the run folder."
            )


def pytest_command(plan: BenchPlan, request: Path, options: Sequence[str]) -> list[str]:
    """The command of a session: the user's arguments, then ours, which come last so that they hold.

    Benchmarks run in one process, one after the other: under pytest-xdist pytest-benchmark measures nothing.
    """
    alone = ["-n0", "--dist=no"] if importlib.util.find_spec("xdist") else []
    # In one word: pytest looks for its configuration above every argument that is a path, if only an option's value.
    ours = ["-p", "harness.microbench.plugin", f"--harness-bench={request}", *alone]
    given = [argument for argument in plan.arguments if argument not in _MODES]
    # pytest itself knows whether its arguments name tests, or only options' values: so they are not put among those.
    paths = ["-o", f"testpaths={shlex.join(plan.paths)}"] if plan.paths else []
    return [sys.executable, "-m", "pytest", *given, *ours, *paths, *options]


class Outlet:
    """``write`` until it fails; from then on nothing: benchmarks are measured all the same.

    An ``OSError`` is no fault: nobody reads it any more, or its disk is full. Another one is its owner's, and raised
    when nothing can be lost by it: :meth:`raise_fault`.
    """

    def __init__(self, write: Callable[[str], object]) -> None:
        self._write = write
        self._works = True
        self._fault: BaseException | None = None

    def __call__(self, text: str) -> None:
        if not self._works:
            return
        try:
            self._write(text)
        except OSError:
            self._works = False
        except BaseException as fault:  # kept for ``raise_fault``: who listens must not end what is measured
            self._works = False
            if not isinstance(fault, Exception) and threading.current_thread() is threading.main_thread():
                raise  # Ctrl-C, say
            self._fault = fault

    def raise_fault(self) -> None:
        """Raise what ``write`` failed with, if it did."""
        if self._fault is not None:
            raise self._fault


def _alone(environment: Mapping[str, str]) -> dict[str, str]:
    """Started by a test that xdist runs, say: pytest-benchmark would take this pytest for one of xdist's workers."""
    return {name: value for name, value in environment.items() if not name.startswith("PYTEST_XDIST_")}


class Session:
    """A running pytest. A context manager: on leaving, nothing of it is left, nor of what its tests have started.

    Its output goes to ``log`` and ``hear``, which never fails, line by line and redacted. It is supervised as a target
    is, so that nothing outlives the harness either, however that ends.
    """

    def __init__(self, command: Sequence[str], log: Path, hear: Callable[[str], None]) -> None:
        self._signalled = 0
        reader, writer = os.pipe()
        self._output = os.fdopen(reader, "rb")
        # Unbuffered: what a full disk did not take must not be tried again when the file is closed.
        self._log = log.open("ab", buffering=0)
        self._outlets: list[Callable[[str], None]] = [Outlet(self._keep), hear]
        try:
            self._process = SupervisedProcess(command, _alone(os.environ), writer)
        finally:
            os.close(writer)
        self._reader = threading.Thread(target=self._read, args=(self._output,), daemon=True)
        self._reader.start()

    @property
    def pid(self) -> int:
        return self._process.pid

    def wait(self, interrupts: Callable[[], int]) -> Ended:
        """Until it has ended. An interrupt is handed on, so that pytest ends in order; a second one kills it."""
        while (status := self._process.poll()) is None:
            self._pass(interrupts())
        return Ended(status, interrupted=self._signalled > 0)

    def wait_for(self, reached: Callable[[], bool], interrupts: Callable[[], int]) -> None:
        """Until ``reached`` is true, or it has ended."""
        while not reached() and self._process.poll() is None:
            self._pass(interrupts())

    def __enter__(self) -> Session:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.stop(0)
        self._reader.join(_END_TIMEOUT_S)
        self._log.close()

    def _pass(self, interrupts: int) -> None:
        if interrupts > self._signalled:
            with contextlib.suppress(ProcessLookupError):  # it has just ended by itself
                os.kill(self._process.pid, signal.SIGINT if interrupts == 1 else signal.SIGKILL)
            self._signalled = interrupts
        time.sleep(_POLL_S)

    def _keep(self, text: str) -> None:
        self._log.write(text.encode())

    def _read(self, output: BinaryIO) -> None:
        """Take all that comes, whatever becomes of it: pytest would die of a pipe that nobody reads."""
        decoder, lines = codecs.getincrementaldecoder("utf-8")("replace"), RedactedLines()
        with output:
            while piece := os.read(output.fileno(), 1 << 16):
                self._hand_on(lines.take(decoder.decode(piece)))
            rest = lines.take(decoder.decode(b"", final=True)) + lines.end()
            # Of one that died in the middle of a line, so that what comes after it begins a line.
            self._hand_on(rest if rest.endswith("\n") or not rest else f"{rest}\n")

    def _hand_on(self, text: str) -> None:
        if text:
            for outlet in self._outlets:
                outlet(text)

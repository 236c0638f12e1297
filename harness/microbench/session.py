"""One pytest session as a child process that never outlives the harness; its output is redacted."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import re
import shlex
import signal
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.errors import HarnessError, how_to_install
from harness.plan.bench import BenchPlan
from harness.record.redacted_lines import BackgroundRedactedLog
from harness.targets.supervised_process import SupervisedProcess

_POLL_S = 0.05
WENT_WELL = (0, 1)
"""pytest's exit statuses if it ran to its end: all tests passed, or some failed."""
_MODES = ("--benchmark-only", "--benchmark-enable")
"""Set for each session by ``options``; a tracing session has neither."""
_OURS = ("--benchmark-json", "--harness-bench")
_JUDGES = "--benchmark-compare-fail"
_WORKERS = re.compile(r"(?:-n|--numprocesses)=?(.*)")
"""pytest-xdist's option; benchmarks in several processes disturb one another, so pytest-benchmark skips them."""


@dataclass(frozen=True, slots=True)
class Ended:
    """``status`` is pytest's exit status, negative if a signal ended it."""

    status: int
    interrupted: bool


def need_pytest_benchmark(arguments: Sequence[str]) -> None:
    """Raises :class:`HarnessError` if pytest or pytest-benchmark is missing, or an argument is reserved."""
    missing = [name for name in ("pytest", "pytest_benchmark") if importlib.util.find_spec(name) is None]
    if missing:
        raise HarnessError(
            "bench-packages-missing",
            packages=" and ".join(name.replace("_", "-") for name in missing),
            install=how_to_install("bench"),
        )
    for argument, following in zip(arguments, (*arguments[1:], ""), strict=False):
        name = argument.partition("=")[0]
        workers = _WORKERS.fullmatch(argument)
        if workers is not None and (workers[1] or following) != "0":
            raise HarnessError("bench-in-parallel", where=argument)
        if name == _JUDGES:
            raise HarnessError("bench-compare-fail-refused", where=argument)
        if name in _OURS:
            raise HarnessError("bench-option-taken", where=argument)


def pytest_command(plan: BenchPlan, request: Path, options: Sequence[str]) -> list[str]:
    """The command of a session: the user's arguments, then ours, which come last so that they take effect.

    Benchmarks run in one process, one after the other: under pytest-xdist pytest-benchmark measures nothing.
    """
    alone = ["-n0", "--dist=no"] if importlib.util.find_spec("xdist") else []
    # In one word: pytest looks for its configuration above every argument that is a path, even an option's value.
    ours = ["-p", "harness.microbench.plugin", f"--harness-bench={request}", *alone]
    given = [argument for argument in plan.arguments if argument not in _MODES]
    # Only pytest knows whether an argument names tests or is an option's value, so paths are not passed as arguments.
    paths = ["-o", f"testpaths={shlex.join(plan.paths)}"] if plan.paths else []
    return [sys.executable, "-m", "pytest", *given, *ours, *paths, *options]


class Outlet:
    """Calls ``write`` until it fails, then no more: the benchmarks are measured in any case.

    An ``OSError`` is ignored: nobody reads any more, or the disk is full. Any other error is the caller's;
    :meth:`raise_error` raises it when nothing can be lost by it.
    """

    def __init__(self, write: Callable[[str], object]) -> None:
        self._write = write
        self._works = True
        self._error: BaseException | None = None

    def __call__(self, text: str) -> None:
        if not self._works:
            return
        try:
            self._write(text)
        except OSError:
            self._works = False
        except BaseException as error:  # kept for ``raise_error``: a listener must not end the measurement
            self._works = False
            if not isinstance(error, Exception) and threading.current_thread() is threading.main_thread():
                raise  # Ctrl-C, say
            self._error = error

    def raise_error(self) -> None:
        """Raise the error that ``write`` raised, if it did."""
        if self._error is not None:
            raise self._error


class _SessionLog(BackgroundRedactedLog):
    """The log of one session, which ``on_output`` also receives. The next session starts on a new line."""

    def __init__(self, path: Path, on_output: Callable[[str], None]) -> None:
        self._on_output = on_output
        super().__init__(path)

    def append(self, text: str) -> None:
        if text:
            text = text.removesuffix("\n") + "\n"
            super().append(text)
            self._on_output(text.encode("utf-8", "surrogateescape").decode("utf-8", "replace"))


class Session:
    """A running pytest. Leaving the context ends it and every process that its tests have started.

    Its redacted output goes to ``log`` and to ``on_output``, which must never fail, line by line. It is supervised as a
    target is, so that nothing outlives the harness, however that ends.
    """

    def __init__(
        self, command: Sequence[str], log: Path, on_output: Callable[[str], None], request: Path | None = None
    ) -> None:
        """``request`` is the plugin's, which removes it as soon as pytest can end in order."""
        self._signalled = 0
        self._request = request
        # Without xdist's variables: inside a test that xdist runs, pytest-benchmark would believe it is a worker.
        alone = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_XDIST_")}
        self._log = _SessionLog(log, on_output)
        try:
            self._process = SupervisedProcess(command, alone, self._log.writer)
        except BaseException:  # raised again: an interrupt must leave no open log behind, either
            self._log.close()
            raise

    @property
    def pid(self) -> int:
        return self._process.pid

    def wait(self, interrupts: Callable[[], int]) -> Ended:
        """Wait until it has ended. The first interrupt goes to pytest, which ends in order; the second kills it.

        So does one while pytest starts, for which pytest would show a traceback.
        """
        while (status := self._process.poll()) is None:
            self._pass(interrupts())
        return Ended(status, interrupted=self._signalled > 0)

    def wait_for(self, reached: Callable[[], bool], interrupts: Callable[[], int]) -> None:
        """Wait until ``reached`` is true, or it has ended."""
        while not reached() and self._process.poll() is None:
            self._pass(interrupts())

    def __enter__(self) -> Session:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.stop(0)
        self._log.close()

    def _pass(self, interrupts: int) -> None:
        if interrupts > self._signalled:
            in_order = interrupts == 1 and not (self._request and self._request.exists())
            with contextlib.suppress(ProcessLookupError):  # it has just ended
                os.kill(self._process.pid, signal.SIGINT if in_order else signal.SIGKILL)
            self._signalled = interrupts
        time.sleep(_POLL_S)

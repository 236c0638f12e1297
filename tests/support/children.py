"""Child processes of tests: on loopback ports, and gone when the test process is, however that ends."""

from __future__ import annotations

import secrets
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import AnyStr, Protocol, TypeVar

import psutil

from harness.prctl import die_with_parent

Value = TypeVar("Value")

_PORTS = range(15_000, 32_000)
"""Below those that Linux gives to outgoing connections, of which parallel tests make thousands."""
_SETPRIV = shutil.which("setpriv") or "setpriv"


class Child(Protocol):
    """What tests use of :class:`subprocess.Popen`."""

    @property
    def pid(self) -> int: ...

    @property
    def returncode(self) -> int | None: ...

    def poll(self) -> int | None: ...

    def wait(self, timeout: float | None = None) -> int: ...

    def send_signal(self, sig: int) -> None: ...

    def kill(self) -> None: ...


die_with_the_tests = die_with_parent
"""For ``Popen(preexec_fn=…)``."""


def dying_with_the_tests(command: Sequence[str | Path]) -> list[str | Path]:
    """``command``, killed by the kernel when the test process ends.

    Without ``preexec_fn``, Python starts it by ``vfork``. Forking a test process of 200 MB takes 20 ms of CPU.
    """
    return [_SETPRIV, "--pdeathsig", "KILL", "--", *command]


@contextmanager
def killed_at_end(process: subprocess.Popen[AnyStr]) -> Iterator[subprocess.Popen[AnyStr]]:
    """``process``, which is killed however the block ends: Popen's own ``with`` would wait for its end.

    What it has started may keep its pipes open, and is not waited for.
    """
    with process:
        try:
            yield process
        finally:
            process.kill()


def free_port() -> int:
    """A loopback port that nothing listens on, and that no outgoing connection takes before the caller does."""
    while True:
        port = secrets.choice(_PORTS)
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


def wait_until(ready: Callable[[], Value], *, seconds: float = 60, what: str = "it") -> Value:
    """The first true value of ``ready()``, asked again and again; fails the test after ``seconds``."""
    deadline = time.monotonic() + seconds
    while not (value := ready()):
        if time.monotonic() > deadline:
            raise AssertionError(f"{what} did not happen within {seconds:g} s")
        time.sleep(0.02)
    return value


def started_with(word: str, *, recursive: bool = False) -> list[psutil.Process]:
    """The children of this process that run with ``word`` in their command line; ``recursive``: with their children."""
    found = []
    for process in psutil.Process().children(recursive):
        with suppress(psutil.NoSuchProcess):  # one of another test has just ended
            found += [process] if word in process.cmdline() else []
    return found


def stop(process: Child, stop_signal: signal.Signals = signal.SIGTERM, seconds: float = 15) -> int:
    """Asks the process to end, kills it if it does not, and gives its exit code."""
    if process.poll() is None:
        process.send_signal(stop_signal)
    try:
        return process.wait(seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
        raise

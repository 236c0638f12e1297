"""Child processes of tests: on loopback ports, and gone when the test process is, however that ends."""

from __future__ import annotations

import ctypes
import signal
import socket
import subprocess
import time
from collections.abc import Callable
from typing import TypeVar

Value = TypeVar("Value")

_PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None)


def die_with_the_tests() -> None:
    """For ``Popen(preexec_fn=…)``: the kernel kills the child as soon as the test process ends."""
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


def free_port() -> int:
    """A loopback port that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def wait_until(ready: Callable[[], Value], *, seconds: float = 60, what: str = "it") -> Value:
    """The first true value of ``ready()``, asked again and again; fails the test after ``seconds``."""
    deadline = time.monotonic() + seconds
    while not (value := ready()):
        if time.monotonic() > deadline:
            raise AssertionError(f"{what} did not happen within {seconds:g} s")
        time.sleep(0.02)
    return value


def stop(process: subprocess.Popen[str], stop_signal: signal.Signals = signal.SIGTERM, seconds: float = 15) -> int:
    """Asks the process to end, kills it if it does not, and gives its exit code."""
    if process.poll() is None:
        process.send_signal(stop_signal)
    try:
        return process.wait(seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
        raise

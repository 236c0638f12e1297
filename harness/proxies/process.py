"""Starts the process that holds a run's proxies (:mod:`harness.proxies.__main__`), and ends it."""

from __future__ import annotations

import contextlib
import secrets
import signal
import subprocess
import sys
from pathlib import Path
from typing import Self

import psutil

from harness.errors import ExitCode, HarnessError
from harness.proxies.control import OwnProxy, ask

_END_S = 10.0


class ProxyProcess:
    """Starts when it is created; a context manager. If this process is killed, it undoes everything and ends itself.

    ``log`` takes its standard error, which is empty unless something is wrong.

    Raises :class:`HarnessError` (exit code 4) if it does not start.
    """

    def __init__(self, log: Path) -> None:
        self._secret = secrets.token_hex(16)
        self._control = 0
        """The port where it takes orders; 0 until it has announced it."""
        with log.open("a") as errors:
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-m", "harness.proxies"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                start_new_session=True,  # Ctrl-C at the terminal is for the harness to handle
                text=True,
            )
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self.pid = self._process.pid
        with contextlib.suppress(BrokenPipeError):  # it has ended, which the next line finds out
            self._process.stdin.write(f"{self._secret}\n")
            self._process.stdin.flush()
        announced = self._process.stdout.readline()
        if not announced:
            self.stop()
            raise HarnessError("proxies-not-started", where=str(log), exit_code=ExitCode.BROKEN)
        self._control = int(announced)

    def add(self, name: str, listen: tuple[str, int], upstream: tuple[str, int]) -> OwnProxy:
        """Begin to forward connections to ``listen`` (port 0: any free one) to ``upstream``.

        Raises :class:`HarnessError` if the address cannot be listened on.
        """
        order = {"do": "add", "name": name, "listen": listen, "upstream": upstream}
        found = ask(self._control, self._secret, order, name=name)
        return OwnProxy(name=name, host=found["host"], port=found["port"], control=self._control, secret=self._secret)

    def is_alive(self) -> bool:
        return self._process.poll() is None

    def is_stopped(self) -> bool:
        """Whether it is stopped (SIGSTOP), so that it forwards nothing."""
        return self.is_alive() and psutil.Process(self.pid).status() == psutil.STATUS_STOPPED

    def wake(self) -> None:
        """Have it go on: the target may need its proxies to end."""
        self._process.send_signal(signal.SIGCONT)

    def stop(self) -> None:
        """End it, with all connections. May be called twice."""
        if self._process.returncode is not None:
            return
        if self._control:
            with contextlib.suppress(HarnessError):  # it has ended
                ask(self._control, self._secret, {"do": "end"}, name="")
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.close()
        try:
            self._process.wait(_END_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process.stdout.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

"""A process tree that ends with the harness: its side of :mod:`harness.targets.supervise`."""

from __future__ import annotations

import contextlib
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from multiprocessing import Pipe
from pathlib import Path
from typing import Any

from harness.errors import ExitCode, HarnessError

_START_TIMEOUT_S = 20.0
_KILL_TIMEOUT_S = 20.0


class SupervisedProcess:
    """Starts when it is created. ``pid`` is its first process, another one after a fault has started it again.

    ``log`` takes the output of all its processes: a file, in which secrets are redacted (``secret_names`` are the
    user's own), or the descriptor of a pipe that the caller reads. ``folder`` is where the command is started, if not
    here. ``remove`` is a folder to remove at the end.
    Raises :class:`HarnessError` (exit code 4) if the command cannot be started.
    """

    def __init__(
        self,
        command: Sequence[str],
        environment: Mapping[str, str],
        log: Path | int,
        *,
        folder: str | None = None,
        remove: Path | None = None,
        control: Path | None = None,
        secret_names: Sequence[str] = (),
    ) -> None:
        self._lock = threading.Lock()
        self._remove = remove
        self._returncode: int | None = None
        self.supervisor_lost = False
        """Whether the supervisor was killed, and the process with it."""
        self._channel, theirs = Pipe()
        with theirs:
            self._supervisor = subprocess.Popen(
                [sys.executable, "-P", "-m", "harness.targets.supervise", str(theirs.fileno())],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                pass_fds=[theirs.fileno(), *([log] if isinstance(log, int) else [])],
                start_new_session=True,  # Ctrl-C at the terminal is for the harness to handle
            )
        order = {
            "command": list(command),
            "environment": dict(environment),
            "folder": folder,
            "log": log if isinstance(log, int) else str(log.absolute()),
            "secret_names": list(secret_names),
            "remove": None if remove is None else str(remove),
            "control": None if control is None else str(control),
        }
        self.pid = self._start(order)

    @property
    def supervisor_pid(self) -> int:
        return self._supervisor.pid

    def _start(self, order: dict[str, Any]) -> int:
        """Let the supervisor start the command; its process id."""
        try:
            self._channel.send(order)
            if not self._channel.poll(_START_TIMEOUT_S):
                raise TimeoutError(f"no response within {_START_TIMEOUT_S:g} s")
            response = self._channel.recv()
            if "error" in response:
                where, reason = order["command"][0], response["error"]
                raise HarnessError("target-not-started", where=where, exit_code=ExitCode.BROKEN, reason=reason)
        except (EOFError, OSError) as error:
            self._abandon()
            reason = str(error) or "it ended"
            raise HarnessError("supervisor-not-started", exit_code=ExitCode.BROKEN, reason=reason) from error
        except BaseException:  # raised again: an interrupt must leave no supervisor behind, either
            self._abandon()
            raise
        pid: int = response["pid"]
        return pid

    def poll(self) -> int | None:
        """None while the first process runs; else its exit status, negative for a signal."""
        with self._lock:
            while not self._channel.closed and self._channel.poll():
                try:
                    news = self._channel.recv()
                except (EOFError, OSError):  # the supervisor is gone, and with it (PR_SET_PDEATHSIG) the target
                    if self._returncode is None:
                        self._returncode = -signal.SIGKILL
                        self.supervisor_lost = True
                    break
                self._returncode = news.get("returncode")
                self.pid = news.get("pid", self.pid)
            return self._returncode

    def stop(self, grace_s: float) -> None:
        """End the process and all its descendants: SIGTERM, ``grace_s`` to end, SIGKILL. Returns when all have."""
        if self._supervisor.returncode is not None:
            return
        # An error means that the supervisor is gone, and the target with it.
        with contextlib.suppress(OSError):
            self._channel.send(grace_s)
        self._supervisor.send_signal(signal.SIGCONT)  # it may be stopped (SIGSTOP)
        self._await_supervisor(grace_s + _KILL_TIMEOUT_S)
        self.poll()  # it says last how the first process ended
        self._channel.close()

    def _abandon(self) -> None:
        """Close the channel: the supervisor then ends the target and itself."""
        self._channel.close()
        self._await_supervisor(_KILL_TIMEOUT_S)

    def _await_supervisor(self, timeout_s: float) -> None:
        try:
            self._supervisor.wait(timeout_s)
        except subprocess.TimeoutExpired:  # even SIGKILL does not end a process that is stuck in the kernel
            self._supervisor.kill()
            self._supervisor.wait()
        if self._remove is not None:  # the supervisor does so, too, but may have been killed
            shutil.rmtree(self._remove, ignore_errors=True)

"""A process tree that ends with the harness: its side of :mod:`harness.targets.supervise`."""

from __future__ import annotations

import contextlib
import json
import shutil
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from harness.errors import ExitCode, HarnessError

_START_TIMEOUT_S = 20.0
_KILL_TIMEOUT_S = 20.0


class SupervisedProcess:
    """Starts when it is created. ``pid`` is its first process.

    ``log`` takes the output of all its processes: a file, in which secrets are redacted (``secret_names`` are the
    user's own), or the descriptor of a pipe that the caller reads. ``remove`` is a folder to remove at the end.
    Raises :class:`HarnessError` (exit code 4) if the command cannot be started.
    """

    def __init__(
        self,
        command: Sequence[str],
        environment: Mapping[str, str],
        log: Path | int,
        *,
        remove: Path | None = None,
        secret_names: Sequence[str] = (),
    ) -> None:
        self._lock = threading.Lock()
        self._remove = remove
        self._unread = b""
        self._returncode: int | None = None
        self._channel, theirs = socket.socketpair()
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
            "log": log if isinstance(log, int) else str(log.absolute()),
            "secret_names": list(secret_names),
            "remove": None if remove is None else str(remove),
        }
        try:
            self._channel.sendall(json.dumps(order).encode() + b"\n")
            self._channel.settimeout(_START_TIMEOUT_S)
            response = self._receive_one()
        except OSError as error:
            self._abandon()
            raise HarnessError("supervisor-not-started", exit_code=ExitCode.BROKEN, reason=str(error)) from error
        except BaseException:  # raised again: an interrupt must leave no supervisor behind, either
            self._abandon()
            raise
        if "pid" not in response:
            self._abandon()
            raise HarnessError(
                "target-not-started",
                where=command[0],
                exit_code=ExitCode.BROKEN,
                reason=response.get("error", "its supervisor ended"),
            )
        self.pid = int(response["pid"])
        self._channel.setblocking(False)

    def poll(self) -> int | None:
        """None while the first process runs; else its exit status, negative for a signal."""
        with self._lock:
            # Unread lines first: a target that ends at once sends both its id and its exit status.
            while not self._read_returncode():
                try:
                    received = self._channel.recv(4096)
                except BlockingIOError:
                    break
                except OSError:
                    received = b""
                if not received:  # the supervisor is gone, and with it (PR_SET_PDEATHSIG) the target
                    self._returncode = -signal.SIGKILL
                    break
                self._unread += received
            return self._returncode

    def _read_returncode(self) -> bool:
        """Process the lines that are complete; whether the exit status is known."""
        *lines, self._unread = self._unread.split(b"\n")
        for line in lines:
            self._returncode = json.loads(line).get("returncode", self._returncode)
        return self._returncode is not None

    def stop(self, grace_s: float) -> None:
        """End the process and all its descendants: SIGTERM, ``grace_s`` to end, SIGKILL. Returns when all have."""
        if self._supervisor.returncode is not None:
            return
        # An error means that the supervisor is gone, and the target with it.
        with contextlib.suppress(OSError):
            self._channel.sendall(json.dumps({"grace_s": grace_s}).encode() + b"\n")
        self._await_supervisor(grace_s + _KILL_TIMEOUT_S)
        self.poll()  # it says last how the first process ended
        self._channel.close()

    def _receive_one(self) -> dict[str, Any]:
        while b"\n" not in self._unread:
            received = self._channel.recv(4096)
            if not received:
                return {}
            self._unread += received
        line, _, self._unread = self._unread.partition(b"\n")
        response = json.loads(line)
        assert isinstance(response, dict)
        return response

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

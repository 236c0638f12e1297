"""Starts every process that runs user code, by a server that has imported the engine and forks them.

Importing Locust, gevent and the engine takes longer than all else that such a process does before its first request.
What the server does is in :mod:`harness.engine.fork_server_process`.
"""

from __future__ import annotations

import json
import os
import select
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

from harness.cluster.secret import VARIABLE
from harness.engine.strays import MARK, end_strays, strays_of
from harness.errors import ExitCode, HarnessError

MASTER = "harness.engine.master"
WORKER = "harness.engine.worker"
DESCRIBE = "harness.engine.scenario.describe"
HOOK = "harness.engine.scenario.hooks"
OWN_ROWS = "harness.engine.scenario.own_rows"
_PROCESS = "harness.engine.fork_server_process"
_LENGTH_BYTES = 4
_MOST_DESCRIPTORS = 3
_LAST_LINES = 3


class ForkServer:
    """The controller's side: a context manager that ends what has not ended."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._mark = os.urandom(16).hex()
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115  (closed with the server)
        self._channel, theirs = socket.socketpair()
        with theirs:
            # -P: modules come from where they are installed, never from the working folder, which may hold a locust.py.
            command = [sys.executable, "-P", "-m", "harness.quick_start", _PROCESS]
            self._process = subprocess.Popen(
                [*command, str(os.getpid()), str(theirs.fileno())],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=self._errors,
                # Without the secret of --bind, which is not for user code.
                env={name: value for name, value in os.environ.items() if name != VARIABLE} | {MARK: self._mark},
                pass_fds=[theirs.fileno()],
                start_new_session=True,  # Ctrl-C at the terminal is for the harness to handle
            )

    def start(self, module: str, *, stdout: int, stderr: int, **options: object) -> ForkedProcess:
        """Start a process that calls ``main`` of ``module`` with these options, in a session of its own.

        Its working folder is that of this process, its standard input a pipe. The options may be secret: they are in no
        argument and no environment, which others can read. Raises :class:`HarnessError` if the server has ended.
        """
        stdin, writer = os.pipe()
        order = {"module": module, "folder": str(Path.cwd()), "options": options}
        try:
            pid, (handle,) = self.ask(order, (stdin, stdout, stderr))
        except BaseException as error:  # raised again: nobody else would close the pipe
            os.close(writer)
            if isinstance(error, OSError):
                raise self._not_started(error) from error
            raise
        finally:
            os.close(stdin)
        return ForkedProcess(self, pid, handle, writer)

    def ask(self, order: object, descriptors: Sequence[int] = ()) -> tuple[int, list[int]]:
        """The server's reply, and the descriptors with it. Raises ``OSError`` if the server has ended."""
        with self._lock:
            try:
                send(self._channel, order, descriptors)
                reply, received = receive(self._channel)
            except BaseException:  # raised again: what is left of the reply would be taken for the next one
                self._channel.close()
                raise
        if isinstance(reply, str):
            raise OSError(reply)
        assert isinstance(reply, int)
        return reply, received

    def _not_started(self, error: OSError) -> HarnessError:
        self._process.kill()
        self._process.wait()
        self._errors.seek(0)
        lines = self._errors.read().decode(errors="replace").strip().splitlines()[-_LAST_LINES:]
        return HarnessError("engine-not-started", exit_code=ExitCode.BROKEN, reason=" · ".join(lines) or str(error))

    def has_strays(self) -> bool:
        """Whether anything that has been started, or that that has started, still runs."""
        return bool(strays_of(self._mark, self._process.pid, self._adopter))

    def end_strays(self) -> None:
        """Kill all that has been started, and what that has started."""
        end_strays(self._mark, self._process.pid, self._adopter)

    @property
    def _adopter(self) -> int | None:
        """The server; the number of one that has ended may be another process's by now."""
        return self._process.pid if self._process.poll() is None else None

    def close(self) -> None:
        """End the server and what it has started."""
        self.end_strays()
        self._process.kill()
        self._process.wait()
        self.end_strays()
        self._channel.close()
        self._errors.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class ForkedProcess:
    """A process that the server has forked, as :class:`subprocess.Popen` has one."""

    def __init__(self, server: ForkServer, pid: int, handle: int, stdin: int) -> None:
        self._server = server
        self._lock = threading.Lock()
        self.pid = pid
        self._handle = handle
        self.stdin = open(stdin, "wb", buffering=0)  # noqa: SIM115  (closed with the process)
        self.returncode: int | None = None

    def ends_within(self, seconds: float | None) -> bool:
        """Wait for the process to end, without reaping it: until :meth:`poll`, its number stays its own."""
        if self.returncode is not None:
            return True
        waiter = select.poll()
        waiter.register(self._handle, select.POLLIN)
        return bool(waiter.poll(None if seconds is None else seconds * 1000))

    def poll(self) -> int | None:
        """None while the process runs; else its exit status, negative for a signal."""
        with self._lock:
            if self.returncode is None and self.ends_within(0.0):
                try:
                    self.returncode, _ = self._server.ask(self.pid)
                except OSError:  # the server was killed, and this process with it
                    self.returncode = -signal.SIGKILL
                os.close(self._handle)
            return self.returncode

    def wait(self, timeout_s: float | None = None) -> int | None:
        """As :meth:`poll`, at most ``timeout_s`` later."""
        self.ends_within(timeout_s)
        return self.poll()

    def kill(self) -> None:
        if self.returncode is None:
            signal.pidfd_send_signal(self._handle, signal.SIGKILL)


def send(channel: socket.socket, value: object, descriptors: Sequence[int] = ()) -> None:
    """Send a value that JSON has, and up to three open files."""
    data = json.dumps(value).encode()
    socket.send_fds(channel, [len(data).to_bytes(_LENGTH_BYTES)], descriptors)
    channel.sendall(data)


def receive(channel: socket.socket) -> tuple[Any, list[int]]:
    """A value and its descriptors. Raises ``ConnectionError`` if the other side has ended."""
    flags = socket.MSG_CMSG_CLOEXEC
    length, descriptors, _, _ = socket.recv_fds(channel, _LENGTH_BYTES, _MOST_DESCRIPTORS, flags)
    if not length:
        raise ConnectionError("the other side has ended")
    value, missing = b"", int.from_bytes(length)
    while len(value) < missing:  # a signal may cut a wait for all of it short
        part = channel.recv(missing - len(value), socket.MSG_WAITALL)
        if not part:
            raise ConnectionError("the other side has ended")
        value += part
    return json.loads(value), descriptors

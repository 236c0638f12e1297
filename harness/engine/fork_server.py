"""Imports the engine once, and forks every process that runs user code from the one that has it.

Importing Locust, gevent and the engine takes longer than all else that such a process does before its first request.
The server is idle otherwise: it never runs user code, has no ZeroMQ context and no thread. When the process that
started it has gone, also by SIGKILL, it ends what it has forked, what that has started, and itself.
"""

from __future__ import annotations

import ctypes
import json
import logging
import os
import select
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from argparse import Namespace
from collections.abc import Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any, Self

from harness import quick_start
from harness.cluster.secret import VARIABLE
from harness.engine.strays import MARK, end_strays
from harness.errors import ExitCode, HarnessError

MASTER = "harness.engine.master"
WORKER = "harness.engine.worker"
DESCRIBE = "harness.engine.scenario.describe"
VERIFY = "harness.engine.scenario.verify"
_LOCUST = "harness.engine.locust.quick_import"
_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36
_LENGTH_BYTES = 4
_MOST_DESCRIPTORS = 3
_LAST_LINES = 3

logger = logging.getLogger(__name__)


class ForkServer:
    """The controller's side: a context manager that ends what has not ended."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._mark = os.urandom(16).hex()
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115  (closed with the server)
        self._channel, theirs = socket.socketpair()
        with theirs:
            # -P: modules come from where they are installed, never from the working folder, which may hold a locust.py.
            command = [sys.executable, "-P", "-m", "harness.quick_start", __name__]
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

        Its standard input is a pipe. The options may be secret: they are in no argument and no environment, which
        others can read. Raises :class:`HarnessError` if the server has ended.
        """
        stdin, writer = os.pipe()
        order = {"module": module, "options": options}
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
                _send(self._channel, order, descriptors)
                reply, received = _receive(self._channel)
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

    def end_strays(self) -> None:
        """Kill all that has been started, and what that has started."""
        server = self._process.pid
        # The number of a server that has ended may be another process's by now.
        end_strays(self._mark, server, adopter=server if self._process.poll() is None else None)

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


def _send(channel: socket.socket, value: object, descriptors: Sequence[int] = ()) -> None:
    data = json.dumps(value).encode()
    socket.send_fds(channel, [len(data).to_bytes(_LENGTH_BYTES)], descriptors)
    channel.sendall(data)


def _receive(channel: socket.socket) -> tuple[Any, list[int]]:
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


def main() -> None:
    """Serve until the harness has gone. What is forked returns, too, once its module's ``main`` has."""
    parent, descriptor = map(int, sys.argv[1:])
    channel = socket.socket(fileno=descriptor)  # before gevent replaces sockets by those that wait in an event loop
    server = os.getpid()

    def end(*_: object) -> None:
        """Only if the harness has gone: the kernel also sends the signal when only the *thread* has that started us."""
        if os.getppid() != parent:
            end_strays(os.environ[MARK], spared=server, adopter=server)
            os._exit(0)

    signal.signal(signal.SIGTERM, end)
    _adopt_orphans()
    _signal_when_the_parent_ends(signal.SIGTERM)
    end()
    forked = _serve(channel)
    if forked is None:
        end_strays(os.environ[MARK], spared=server, adopter=server)
        return
    order, descriptors = forked
    channel.close()
    _become(server, order, descriptors)
    try:
        import_module(order["module"]).main(Namespace(**order["options"]))
    finally:
        _leave_threads_behind()


def _adopt_orphans() -> None:
    """Linux, ``prctl(2)``. Forked processes do not inherit it."""
    ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def _signal_when_the_parent_ends(number: signal.Signals) -> None:
    """Linux, ``prctl(2)``."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, number)


def _serve(channel: socket.socket) -> tuple[dict[str, Any], list[int]] | None:
    """Fork, and say how what is forked has ended. Returns the order in a forked process, None at the end."""
    for module in (_LOCUST, MASTER, WORKER, DESCRIBE, VERIFY):
        quick_start.load(module)
    from gevent.os import fork

    from harness.engine.process_setup import warm_up

    warm_up()
    while True:
        try:
            order, descriptors = _receive(channel)
        except ConnectionError:
            return None
        if isinstance(order, int):
            ended = os.waitid(os.P_PID, order, os.WEXITED)
            assert ended is not None
            _send(channel, ended.si_status if ended.si_code == os.CLD_EXITED else -ended.si_status)
            continue
        try:
            pid = fork()
        except OSError as error:
            _send(channel, str(error))
        else:
            if pid == 0:
                return order, descriptors
            handle = os.pidfd_open(pid)
            _send(channel, pid, [handle])
            os.close(handle)
        for each in descriptors:
            os.close(each)


def _become(server: int, order: Mapping[str, Any], descriptors: Sequence[int]) -> None:
    """Make this process, just forked, what it would be as a program of its own."""
    os.setsid()
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    _signal_when_the_parent_ends(signal.SIGKILL)
    if os.getppid() != server:
        sys.exit("the fork server has ended")
    for number, descriptor in enumerate(descriptors):
        os.dup2(descriptor, number)
        os.close(descriptor)
    sys.argv = [order["module"]]
    sys.orig_argv[:] = [*sys.orig_argv[:-3], order["module"]]
    _show_command(sys.orig_argv)


def _leave_threads_behind() -> None:
    """Name threads that user code has started and not ended, and let this process end without them."""
    threads = [thread.name for thread in threading.enumerate() if not thread.daemon]
    going_on = [name for name in threads if name != threading.main_thread().name]
    if going_on:
        logger.warning("ended although threads of the scenario go on: %s", ", ".join(going_on))
        setattr(threading, "_shutdown", lambda: None)  # noqa: B010  (which waits for them)


def _show_command(words: Sequence[str]) -> None:
    """Show these words as this process's command, in ``ps`` for example, instead of the server's."""
    fields = Path("/proc/self/stat").read_text().rpartition(")")[2].split()
    start, end = int(fields[45]), int(fields[46])  # arg_start and arg_end of proc(5)
    shown = "\0".join(words).encode()[: end - start - 1]
    ctypes.memmove(start, shown.ljust(end - start, b"\0"), end - start)

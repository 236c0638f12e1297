"""The fork server's process: imports the engine once, then forks what :class:`ForkServer` asks for.

It is idle otherwise: it never runs user code, has no ZeroMQ context and no thread. When the process that started it has
gone, also by SIGKILL, it ends what it has forked, what that has started, and itself.
"""

from __future__ import annotations

import ctypes
import logging
import os
import signal
import socket
import sys
import threading
from argparse import Namespace
from collections.abc import Mapping, Sequence
from importlib import import_module
from os import close  # before gevent replaces it by one that waits for an event loop, which never runs here
from pathlib import Path
from typing import Any

from harness import quick_start
from harness.engine.fork_server import DESCRIBE, HOOK, MASTER, OWN_ROWS, WORKER, receive, send
from harness.engine.strays import MARK, end_strays
from harness.prctl import adopt_orphans, die_with_parent

_LOCUST = "harness.engine.locust.quick_import"

logger = logging.getLogger(__name__)


def main() -> None:
    """Serve until the harness has ended. A forked process also returns from here, after its module's ``main``."""
    parent, descriptor = map(int, sys.argv[1:])
    channel = socket.socket(fileno=descriptor)  # before gevent replaces sockets by those that wait in an event loop
    server = os.getpid()

    def end(*_: object) -> None:
        """Only if the harness has gone: the kernel also sends the signal when only the *thread* has that started us."""
        if os.getppid() != parent:
            end_strays(os.environ[MARK], spared=server, adopter=server)
            os._exit(0)

    signal.signal(signal.SIGTERM, end)
    adopt_orphans()
    die_with_parent(by=signal.SIGTERM)
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


def _serve(channel: socket.socket) -> tuple[dict[str, Any], list[int]] | None:
    """Fork, and say how what is forked has ended. Returns the order in a forked process, None at the end."""
    for module in (_LOCUST, MASTER, WORKER, DESCRIBE, HOOK, OWN_ROWS):
        quick_start.load(module)
    from gevent.os import fork

    from harness.engine.process_setup import warm_up

    warm_up()
    while True:
        try:
            order, descriptors = receive(channel)
        except ConnectionError:
            return None
        if isinstance(order, int):
            ended = os.waitid(os.P_PID, order, os.WEXITED)
            assert ended is not None
            send(channel, ended.si_status if ended.si_code == os.CLD_EXITED else -ended.si_status)
            continue
        try:
            pid = fork()
        except OSError as error:
            send(channel, str(error))
        else:
            if pid == 0:
                return order, descriptors
            handle = os.pidfd_open(pid)
            send(channel, pid, [handle])
            close(handle)
        for each in descriptors:
            close(each)


def _become(server: int, order: Mapping[str, Any], descriptors: Sequence[int]) -> None:
    """Make this process, just forked, what it would be as a program of its own."""
    os.setsid()
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    die_with_parent()
    if os.getppid() != server:
        sys.exit("the fork server has ended")
    os.chdir(order["folder"])
    for number, descriptor in enumerate(descriptors):
        os.dup2(descriptor, number)
        close(descriptor)
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

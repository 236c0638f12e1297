"""The process between the harness and a managed target: it makes sure that nothing of the target outlives the harness.

Run as ``python -m harness.targets.supervise FD``, where FD is one end of a socket pair. The harness sends what to start
as one JSON line; the supervisor answers ``{"pid": …}`` or ``{"error": …}``, later ``{"returncode": …}`` when the
target's first process has ended. On ``{"grace_s": …}`` from the harness, on SIGTERM, and when the harness has gone
(end of file: also after SIGKILL), it ends the target with all its descendants and then itself.

Why a process of its own: only a parent can take in orphans (``PR_SET_CHILD_SUBREAPER``), so that a daemon the target
forked into another session is still found; and the harness, which has threads, may neither fork with a ``preexec_fn``
nor use ``PR_SET_PDEATHSIG`` (it fires when the *thread* that started the child ends). This process has one thread.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import selectors
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36
_GRACE_WITHOUT_HARNESS_S = 2.0
"""How long the target may take to end by itself when the harness has gone without a word."""
_GRACE_FOR_STRAYS_S = 0.5
"""How long its other processes may go on when the target itself has ended."""


class _Supervisor:
    def __init__(self, channel: socket.socket) -> None:
        self._channel = channel
        self._lines = channel.makefile("r", encoding="utf-8")
        self._wake, wake_writer = os.pipe()
        os.set_blocking(wake_writer, False)
        signal.set_wakeup_fd(wake_writer, warn_on_full_buffer=False)
        self._terminated = False
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.signal(signal.SIGTERM, self._on_terminate)
        signal.signal(signal.SIGINT, lambda *_: None)  # not SIG_IGN: the target would inherit that

    def _on_terminate(self, *_: object) -> None:
        self._terminated = True

    def run(self) -> None:
        line = self._lines.readline()
        if not line:
            return
        order = json.loads(line)
        try:
            self._supervise(order)
        finally:
            if order["remove"]:
                shutil.rmtree(order["remove"], ignore_errors=True)

    def _supervise(self, order: dict[str, Any]) -> None:
        bind_to_parent = _linux_guards()
        try:
            with Path(order["log"]).open("ab") as log:
                # fork and exec are safe here: this process has one thread
                root = subprocess.Popen(
                    order["command"],
                    env=order["environment"],
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                    preexec_fn=bind_to_parent,
                )
        except OSError as error:
            self._say({"error": error.strerror or str(error)})
            return
        self._say({"pid": root.pid})
        grace_s = self._wait_for_the_end(root)
        self._end_all(root, grace_s)

    def _wait_for_the_end(self, root: subprocess.Popen[bytes]) -> float:
        """Until the harness wants the target to end, or is gone; returns the seconds of grace."""
        with selectors.DefaultSelector() as selector:
            selector.register(self._channel, selectors.EVENT_READ)
            selector.register(self._wake, selectors.EVENT_READ)
            while not self._terminated:
                self._reap(root)
                for key, _ in selector.select():
                    if key.fileobj is self._channel:
                        return self._hear_grace()
                    os.read(self._wake, 4096)
        return _GRACE_WITHOUT_HARNESS_S

    def _hear_grace(self) -> float:
        try:
            line = self._lines.readline()
        except ConnectionResetError:  # the harness ended with an answer of ours unread
            line = ""
        return float(json.loads(line)["grace_s"]) if line else _GRACE_WITHOUT_HARNESS_S

    def _end_all(self, root: subprocess.Popen[bytes], grace_s: float) -> None:
        """SIGTERM to the target's group, time to obey, then SIGKILL to every descendant until none is left."""
        with contextlib.suppress(ProcessLookupError):  # all of the group may have ended by themselves
            os.killpg(root.pid, signal.SIGTERM)
        deadline = time.monotonic() + grace_s
        while not self._reap(root) and time.monotonic() < deadline:
            if root.returncode is not None:  # what the target leaves behind, after its own orderly end
                deadline = min(deadline, time.monotonic() + _GRACE_FOR_STRAYS_S)
            self._sleep_until_a_child_ends(max(0.0, deadline - time.monotonic()))
        while not self._reap(root):
            _kill_descendants()
            self._sleep_until_a_child_ends(0.05)

    def _sleep_until_a_child_ends(self, longest_s: float) -> None:
        with selectors.DefaultSelector() as selector:
            selector.register(self._wake, selectors.EVENT_READ)
            if selector.select(longest_s):
                os.read(self._wake, 4096)

    def _reap(self, root: subprocess.Popen[bytes]) -> bool:
        """Take in the children that have ended, orphans too; true when none is left."""
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return True
            if pid == 0:
                return False
            if pid == root.pid:
                root.returncode = os.waitstatus_to_exitcode(status)
                self._say({"returncode": root.returncode})

    def _say(self, message: dict[str, Any]) -> None:
        with contextlib.suppress(OSError):  # the harness has gone: then nobody wants to know
            self._channel.sendall(json.dumps(message).encode() + b"\n")


def _linux_guards() -> Callable[[], None] | None:
    """Make this process take in orphans; returns what makes a child die with it. None where there is no prctl."""
    if sys.platform != "linux":
        return None
    prctl = ctypes.CDLL(None, use_errno=True).prctl
    prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    return lambda: prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


def _kill_descendants() -> None:
    import psutil  # only needed for targets that do not end by themselves

    for process in psutil.Process().children(recursive=True):
        with contextlib.suppress(psutil.NoSuchProcess):  # it ended in between
            process.kill()


if __name__ == "__main__":
    _Supervisor(socket.socket(fileno=int(sys.argv[1]))).run()

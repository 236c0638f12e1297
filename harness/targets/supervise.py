"""The process between the harness and a managed target: no process of the target outlives the harness.

It runs as ``python -m harness.targets.supervise FD``, where FD is one end of a :func:`multiprocessing.Pipe`. The
harness sends what to start. The supervisor replies ``{"pid": …}`` or ``{"error": …}``, and sends ``{"returncode": …}``
when the target's first process has ended. It ends the target with all its descendants, and then itself, when the
harness sends the seconds of grace, on SIGTERM, and when the harness has ended (end of file, also after SIGKILL).
Meanwhile it redacts what the target prints and writes it to the log.

Faults reach it through a Unix socket, if the harness has sent a path for one: the response to a line ``kill``,
``start`` or ``restart`` (SIGTERM first, then the seconds of grace) is ``{"pid": …}`` or ``{"error": …}`` once it is
done. The harness gets ``{"pid": …}`` whenever the target has started again.

It is a process of its own for two reasons. Only a parent can adopt orphans (``PR_SET_CHILD_SUBREAPER``), so that a
daemon that the target forked into another session is still found. And the harness, which has threads, must neither
fork with a ``preexec_fn`` nor use ``PR_SET_PDEATHSIG``, which fires when the *thread* that started the child ends. This
process has one thread.
"""

from __future__ import annotations

import contextlib
import json
import os
import selectors
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from multiprocessing.connection import Connection
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.prctl import adopt_orphans, die_with_parent

if TYPE_CHECKING:
    from harness.record.redacted_lines import RedactedLog

_GRACE_WITHOUT_HARNESS_S = 2.0
"""How long the target may take to end when the harness has disappeared."""
_GRACE_TO_RESTART_S = 10.0
_GRACE_FOR_STRAYS_S = 0.5
"""How long its other processes may go on once the target itself has ended."""
_FAULT_ASKS_S = 5.0
_KILL_S = 8.0
"""How long to kill. A restart does so twice, and still responds before the fault gives up."""


class _Supervisor:
    def __init__(self, channel: Connection) -> None:
        self._channel = channel
        self._wake, wake_writer = os.pipe()
        os.set_blocking(wake_writer, False)
        signal.set_wakeup_fd(wake_writer, warn_on_full_buffer=False)
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._wake, selectors.EVENT_READ)
        self._log: RedactedLog | None = None
        self._terminated = False
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.signal(signal.SIGTERM, self._on_terminate)
        signal.signal(signal.SIGINT, lambda *_: None)  # not SIG_IGN: the target would inherit that

    def _on_terminate(self, *_: object) -> None:
        self._terminated = True

    def run(self) -> None:
        try:
            order = self._channel.recv()
        except (EOFError, OSError):  # the harness has gone
            return
        try:
            self._supervise(order)
        finally:
            if order["remove"]:
                shutil.rmtree(order["remove"], ignore_errors=True)

    def _supervise(self, order: dict[str, Any]) -> None:
        adopt_orphans()
        reader, output = (None, order["log"]) if isinstance(order["log"], int) else os.pipe()

        def start() -> subprocess.Popen[bytes]:
            # fork and exec are safe here: this process has one thread
            return subprocess.Popen(
                order["command"],
                env=order["environment"],
                cwd=order["folder"],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                preexec_fn=die_with_parent,
            )

        listener = None if order["control"] is None else _listen(order["control"])
        try:
            root = start()
        except (OSError, ValueError) as error:  # ValueError: a null character in the command or a variable
            self._send({"error": getattr(error, "strerror", None) or str(error)})
            return
        try:
            self._watch(order, root, start, listener, reader, output)
        except BaseException:  # raised again: the log cannot be opened, say
            self._kill_all(root)  # its first process would end with this one, the others would not
            raise

    def _watch(
        self,
        order: dict[str, Any],
        root: subprocess.Popen[bytes],
        start: Callable[[], subprocess.Popen[bytes]],
        listener: socket.socket | None,
        reader: int | None,
        output: int,
    ) -> None:
        self._send({"pid": root.pid})
        if listener is None:
            os.close(output)
        if reader is not None:
            # Only here: compiling its patterns takes 50 ms, during which the target starts.
            from harness.record.redacted_lines import RedactedLog
            from harness.record.redaction import add_secret_names

            add_secret_names(order["secret_names"])
            self._log = RedactedLog(Path(order["log"]), reader)
            self._selector.register(reader, selectors.EVENT_READ)
        while (grace_s := self._wait_for_the_end(root, listener)) is None:
            assert listener is not None
            root = self._obey(listener, root, start)
        self._end_all(root, grace_s)
        if self._log is not None:
            self._log.close()

    def _wait_for_the_end(self, root: subprocess.Popen[bytes], listener: socket.socket | None) -> float | None:
        """Until the harness ends the target, or is gone; the seconds of grace. None if a fault comes before that."""
        with self._reading(self._channel, *([] if listener is None else [listener])):
            while not self._terminated:
                self._reap(root)
                ready = self._wait()
                if self._channel.fileno() in ready:
                    return self._receive_grace()
                if listener is not None and listener.fileno() in ready:
                    return None
        return _GRACE_WITHOUT_HARNESS_S

    @contextlib.contextmanager
    def _reading(self, *sources: Connection | socket.socket) -> Iterator[None]:
        for source in sources:
            self._selector.register(source, selectors.EVENT_READ)
        try:
            yield
        finally:
            for source in sources:
                self._selector.unregister(source)

    def _obey(
        self, listener: socket.socket, root: subprocess.Popen[bytes], start: Callable[[], subprocess.Popen[bytes]]
    ) -> subprocess.Popen[bytes]:
        """Carry out a fault's order; returns the target's first process after that."""
        with listener.accept()[0] as fault, contextlib.suppress(OSError):  # the fault may have gone
            fault.settimeout(_FAULT_ASKS_S)
            order = fault.recv(64).decode(errors="replace").strip()
            if order == "restart":
                self._end_all(root, _GRACE_TO_RESTART_S)
            elif order == "kill":
                self._kill_all(root)
            response: dict[str, Any] = {}
            if order in ("start", "restart") and root.returncode is not None:
                self._kill_all(root)  # processes that it has left behind may still hold its port
                try:
                    root = start()
                    response = {"pid": root.pid}
                    self._send(response)
                except OSError as error:
                    response = {"error": error.strerror or str(error)}
            fault.sendall(json.dumps(response).encode())
        return root

    def _wait(self, longest_s: float | None = None) -> list[int]:
        """Until a signal, output, a fault or the harness comes; write the output. What can be read, by descriptor."""
        ready = [key.fd for key, _ in self._selector.select(longest_s)]
        if self._wake in ready:
            os.read(self._wake, 4096)
        if self._log is not None and self._log.reader in ready and not self._log.pump():
            self._selector.unregister(self._log.reader)
        return ready

    def _receive_grace(self) -> float:
        try:
            return float(self._channel.recv())
        except (EOFError, OSError):  # the harness has gone, maybe without reading our last message
            return _GRACE_WITHOUT_HARNESS_S

    def _end_all(self, root: subprocess.Popen[bytes], grace_s: float) -> None:
        """SIGTERM to the target's group, time to end, then SIGKILL to what is left."""
        # All of the group may have ended by themselves, or be another user's (``sudo``).
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(root.pid, signal.SIGTERM)
        deadline = time.monotonic() + grace_s
        while not self._reap(root) and time.monotonic() < deadline:
            if root.returncode is not None:  # what the target leaves behind, after its own orderly end
                deadline = min(deadline, time.monotonic() + _GRACE_FOR_STRAYS_S)
            self._wait(max(0.0, deadline - time.monotonic()))
        self._kill_all(root)

    def _kill_all(self, root: subprocess.Popen[bytes]) -> None:
        """SIGKILL to every descendant until none is left, except another user's and what is stuck in the kernel."""
        deadline = time.monotonic() + _KILL_S
        while not self._reap(root) and time.monotonic() < deadline:
            import psutil  # only needed for targets that do not end by themselves

            may = []
            for process in psutil.Process().children(recursive=True):
                try:
                    process.kill()
                    may.append(True)
                except psutil.Error as error:
                    may.append(not isinstance(error, psutil.AccessDenied))  # else it ended in between
            if may and not any(may):
                return
            self._wait(0.05)

    def _reap(self, root: subprocess.Popen[bytes]) -> bool:
        """Reap the children that have ended, orphans too; true when none is left."""
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return True
            if pid == 0:
                return False
            if pid == root.pid:
                root.returncode = os.waitstatus_to_exitcode(status)
                if self._log is not None:
                    self._log.pump()  # its last output is in the log before the harness knows that it ended
                self._send({"returncode": root.returncode})

    def _send(self, message: dict[str, Any]) -> None:
        with contextlib.suppress(OSError):  # the harness has gone
            self._channel.send(message)


def _listen(path: str) -> socket.socket:
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(path)
    listener.listen()
    return listener


if __name__ == "__main__":
    _Supervisor(Connection(int(sys.argv[1]))).run()

"""The agent: a thread in each Python process that on request turns memray on and off, and looks at waiting tasks.

Until then it sleeps in ``accept`` and costs nothing; what serves a request is imported only then. It needs only the
standard library: the target may run on another Python than the harness, without memray.

The trace is taken without ``trace_python_allocators``: with it a FastAPI service kept 15 % of its throughput, without
it 65 %. Objects below 512 bytes then show up as the arena (1 MiB) that Python allocates for them, charged to the
function that happened to need the next arena. Over a phase, the function that leaks gets most of them.
"""

from __future__ import annotations

import _thread
import contextlib
import json
import os
import signal
import socket
import sys
from typing import Any

_trace: tuple[Any, str] | None = None
"""What traces this process, and its file. A forked child has it from its parent: memray follows forks."""


_parents_loops: list[Any] = []
"""The event loops that ran where this process was forked: it has their tasks as objects, but does not run them."""


def start() -> None:
    """Start the agent in this process, and in every one it forks."""
    folder = os.environ.get("HARNESS_AGENT_FOLDER")
    if folder is None:
        return
    _listen(folder)
    os.register_at_fork(after_in_child=lambda: _go_on_in_child(folder))


def _go_on_in_child(folder: str) -> None:
    global _trace, _parents_loops
    if _trace is not None:
        tracker, path = _trace
        _trace = tracker, f"{path}.{os.getpid()}"  # as memray names it
    with contextlib.suppress(Exception):  # the target must not suffer
        _parents_loops = _waiting_tasks().running_loops() if "asyncio" in sys.modules else []
    _listen(folder)


def _listen(folder: str) -> None:
    with contextlib.suppress(Exception):  # then there is no agent, which the harness notes; the target must not suffer
        server = socket.socket(socket.AF_UNIX)
        path = os.path.join(folder, f"{os.getpid()}.sock")  # noqa: PTH118  (pathlib would slow the start)
        server.bind(f"{path}.new")
        server.listen(2)
        # Only now, as the harness may look at any moment. It replaces the one of the Python program that this process
        # ran before, such as a launcher.
        os.rename(f"{path}.new", path)  # noqa: PTH104  (as above)
        # Not threading.Thread: that would run the target's own tracers (coverage) on this thread while it still starts.
        _thread.start_new_thread(Agent(server).serve, ())


def _waiting_tasks() -> Any:
    """The module that looks at tasks."""
    from importlib.util import module_from_spec, spec_from_file_location

    name = "_harness_waiting_tasks"
    if name not in sys.modules:
        spec = spec_from_file_location(name, os.path.join(os.path.dirname(__file__), f"{name}.py"))  # noqa: PTH118, PTH120
        if spec is None or spec.loader is None:
            raise ImportError(name)
        module = module_from_spec(spec)
        spec.loader.exec_module(module)
        sys.modules[name] = module
    return sys.modules[name]


class Agent:
    """Serves requests on ``server`` one after another; a request and its response are one JSON line each."""

    def __init__(self, server: socket.socket) -> None:
        self._server = server

    def serve(self) -> None:
        """Until the process ends, or ``server`` is closed."""
        # Signals belong to the target's own threads: taken here, they would not wake the one that waits for them.
        signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
        while True:
            try:
                channel, _ = self._server.accept()
            except OSError:
                return
            try:
                with channel, channel.makefile("r", encoding="utf-8") as lines:
                    request = json.loads(lines.readline())
                    channel.sendall(json.dumps(self._respond(request)).encode() + b"\n")
            except (OSError, ValueError):
                continue  # the client hung up or sent nonsense; the next one may not

    def _respond(self, request: dict[str, str]) -> dict[str, Any]:
        try:
            if request["do"] == "start":
                return self._start(request["path"])
            if request["do"] == "stop":
                return self._stop()
            found: dict[str, Any] = _waiting_tasks().look(_parents_loops)
            return found
        except Exception as error:  # noqa: BLE001  (sent to the harness; raised, it would end the agent)
            return {"error": f"{type(error).__name__}: {error}"}

    def _start(self, path: str) -> dict[str, str]:
        global _trace
        if _trace is not None:
            return {"tracing": _trace[1]}
        try:
            import memray
        except ImportError as error:
            return {"error": f"{error}: the target's Python ({sys.executable}) has no memray: pip install memray"}
        tracker = memray.Tracker(destination=memray.FileDestination(path, overwrite=True), follow_fork=True)
        tracker.__enter__()
        _trace = tracker, path
        return {"tracing": path}

    def _stop(self) -> dict[str, str]:
        global _trace
        if _trace is None:
            return {"error": "no trace was started"}
        (tracker, _), _trace = _trace, None
        tracker.__exit__(None, None, None)
        return {"stopped": "the trace is whole"}

"""One fork server for all tests of a module: each that is started imports the engine, for 0.7 s of CPU."""

from __future__ import annotations

import os
from pathlib import Path

from harness.engine.fork_server import ForkServer

_started: dict[object, ForkServer] = {}


def fork_server() -> ForkServer:
    """One with this environment and working folder, as what it forks has those of its start."""
    variables = {name: value for name, value in os.environ.items() if name != "PYTEST_CURRENT_TEST"}
    key = (Path.cwd(), *sorted(variables.items()))
    if key not in _started:
        _started[key] = ForkServer()
    return _started[key]


def close_fork_servers() -> None:
    while _started:
        _started.popitem()[1].close()

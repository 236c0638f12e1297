"""Fork servers for all tests of a process: each that is started imports the engine, for 0.7 s of CPU."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import chdir, contextmanager
from functools import partial
from importlib import import_module

import pytest

import harness.api.run
import harness.control.hooks
import harness.engine.fork_server
from harness.cluster.secret import VARIABLE
from harness.engine.fork_server import ForkServer

_MOST = 3
_NOT_PASSED_ON = ("PYTEST_CURRENT_TEST", VARIABLE)
_ASKING_FOR_THEIR_OWN = ("harness.control.run", "harness.control.remote_worker")
_started: dict[object, ForkServer] = {}


class _OfSetup(ForkServer):
    """One that a run starts for ``setup``, beside its own: closed, it ends what it has started, and serves the next."""

    def close(self) -> None:
        self.end_strays()


def fork_server(kind: type[ForkServer] = ForkServer) -> ForkServer:
    """One with this environment, which what it forks has, too. Of several, the one used last stays longest."""
    environment = sorted((name, value) for name, value in os.environ.items() if name not in _NOT_PASSED_ON)
    key = (kind, *environment)
    with chdir("/"):  # what is forked goes to the caller's folder; the server stays in none of a test
        server = _started.pop(key, None) or kind()
    _started[key] = server
    while len(_started) > _MOST:
        ForkServer.close(_started.pop(next(iter(_started))))
    return server


@contextmanager
def borrowing() -> Iterator[None]:
    """Meanwhile, runs of this process borrow one. What a run leaves behind ends as if it had started its own."""
    for name in _ASKING_FOR_THEIR_OWN:  # by the name that is replaced now, if they were imported later
        import_module(name)
    with pytest.MonkeyPatch.context() as patch:
        for module in (harness.api.run, harness.engine.fork_server):
            patch.setattr(module, "ForkServer", _borrowed)
        patch.setattr(harness.control.hooks, "ForkServer", partial(fork_server, _OfSetup))
        yield


@contextmanager
def _borrowed() -> Iterator[ForkServer]:
    server = fork_server()
    try:
        yield server
    finally:
        server.end_strays()


def close_fork_servers() -> None:
    while _started:
        ForkServer.close(_started.popitem()[1])

"""Compares a remote worker's versions with the master's: some differences reject the worker, others only warn.

The harness, its messages and Locust decide *what* is done and how it is counted, so they must be the same. Python and
gevent only decide how fast. Each worker reports how busy it was, and a saturated worker voids its phase, so there a
warning is enough.
"""

from __future__ import annotations

import importlib.metadata
import platform

from harness.messages import Message, message

WIRE = 2
"""The version of the messages between master and workers (``harness.cluster.messages``); raised when they change."""
_MUST_AGREE = ("messages", "harness", "locust")
_SHOULD_AGREE = ("python", "gevent")


def versions() -> dict[str, str]:
    """Of this process's installation."""
    found = {name: importlib.metadata.version(name) for name in ("harness", "locust", "gevent")}
    return {"messages": str(WIRE), **found, "python": ".".join(platform.python_version_tuple()[:2])}


def differences(master: dict[str, str], worker: dict[str, str]) -> tuple[list[Message], list[Message]]:
    """The differences for which a worker is rejected, and those that are only warned of."""
    differing = {
        name: {"name": name, "worker": worker.get(name, "unknown"), "master": version}
        for name, version in master.items()
        if worker.get(name) != version
    }
    rejected = [message("version-must-agree", **differing[name]) for name in _MUST_AGREE if name in differing]
    warned = [message("version-should-agree", **differing[name]) for name in _SHOULD_AGREE if name in differing]
    return rejected, warned

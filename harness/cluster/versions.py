"""What a worker elsewhere runs, beside what the master runs: which differences refuse it, and which are only told.

What decides *what* is done and how it is counted must be the same: the harness, its messages, Locust (whose runner,
dispatcher and users these are). Python and gevent decide only how fast; each worker tells how busy it was, and a
worker that was the limit voids its phase, so a difference there is a warning.
"""

from __future__ import annotations

import importlib.metadata
import platform

WIRE = 2
"""The version of the messages between master and workers (``harness.cluster.messages``); raised when they change."""
_MUST_AGREE = ("messages", "harness", "locust")
_SHOULD_AGREE = ("python", "gevent")


def versions() -> dict[str, str]:
    """Of this process's installation."""
    found = {name: importlib.metadata.version(name) for name in ("harness", "locust", "gevent")}
    return {"messages": str(WIRE), **found, "python": ".".join(platform.python_version_tuple()[:2])}


def differences(master: dict[str, str], worker: dict[str, str]) -> tuple[list[str], list[str]]:
    """What differs, as a person reads it: that for which the worker is refused, and that which is only told."""

    def of(names: tuple[str, ...]) -> list[str]:
        return [
            f"{name} {worker.get(name, 'unknown')} here, {master.get(name, 'unknown')} at the master"
            for name in names
            if master.get(name) != worker.get(name)
        ]

    return of(_MUST_AGREE), of(_SHOULD_AGREE)

"""Load and performance testing: true numbers, a verdict to trust, the cause named. See the README.

The names that a scenario imports, and the Python API (docs/python.md); each is loaded when it is first used, so that
``import harness`` costs nothing.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from harness.api.bench import bench
    from harness.api.result import Run, RunInterrupted
    from harness.api.run import run
    from harness.cli.plain_output import LineWatcher
    from harness.engine.http.user import HttpUser
    from harness.errors import HarnessError
    from harness.plan.dsl import gate, pause, ramp, spike, steady, stress

__all__ = [
    "HarnessError",
    "HttpUser",
    "LineWatcher",
    "Run",
    "RunInterrupted",
    "bench",
    "gate",
    "pause",
    "ramp",
    "run",
    "spike",
    "steady",
    "stress",
]

_HOME = dict.fromkeys(__all__, "harness.plan.dsl") | {
    "HarnessError": "harness.errors",
    "HttpUser": "harness.engine.http.user",
    "LineWatcher": "harness.cli.plain_output",
    "Run": "harness.api.result",
    "RunInterrupted": "harness.api.result",
    "bench": "harness.api.bench",
    "run": "harness.api.run",
}


def __getattr__(name: str) -> object:
    if name not in _HOME:
        raise AttributeError(f"module 'harness' has no attribute {name!r}")
    value: object = getattr(importlib.import_module(_HOME[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])

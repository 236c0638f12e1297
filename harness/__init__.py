"""Load and performance testing: true numbers, a verdict to trust, the cause named. See the README.

The names that a scenario imports, and the Python API (docs/python.md); each is loaded when it is first used, so that
``import harness`` costs nothing.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from harness.api.bench import bench
    from harness.api.plain_output import PlainOutput as LineWatcher
    from harness.api.result import Run, RunInterrupted
    from harness.api.run import run
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
    "LineWatcher": "harness.api.plain_output:PlainOutput",
    "Run": "harness.api.result",
    "RunInterrupted": "harness.api.result",
    "bench": "harness.api.bench",
    "run": "harness.api.run",
}


def __getattr__(name: str) -> object:
    if name not in _HOME:
        raise AttributeError(f"module 'harness' has no attribute {name!r}")
    module, _, attribute = _HOME[name].partition(":")
    value: object = getattr(importlib.import_module(module), attribute or name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])

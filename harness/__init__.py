"""Load and performance testing: true numbers, a verdict you can trust, and the cause. See the README.

The names that a scenario imports, and the Python API (docs/python.md); each is loaded when it is first used, so that
``import harness`` costs nothing.
"""

from __future__ import annotations

import importlib
import importlib.util
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from harness.api.bench import bench
    from harness.api.compare import compare
    from harness.api.duet import duet
    from harness.api.plain_output import PlainOutput as LineWatcher
    from harness.api.result import Run, RunInterrupted
    from harness.api.run import run
    from harness.engine.checks import check
    from harness.engine.expectation import expect
    from harness.engine.feeder import feeder
    from harness.engine.http.user import HttpUser
    from harness.engine.setup_data import setup_data
    from harness.errors import HarnessError
    from harness.plan.dsl import fault, gate
    from harness.plan.phases.pause import Pause
    from harness.plan.phases.ramp import Ramp
    from harness.plan.phases.search import Search
    from harness.plan.phases.shape import Shape
    from harness.plan.phases.spike import Spike
    from harness.plan.phases.steady import Steady
    from harness.plan.phases.stress import Stress

    pause, ramp, search, shape, spike, steady, stress = (
        Pause.call, Ramp.call, Search.call, Shape.call, Spike.call, Steady.call, Stress.call,
    )  # fmt: skip

__all__ = [
    "HarnessError",
    "HttpUser",
    "LineWatcher",
    "Run",
    "RunInterrupted",
    "bench",
    "check",
    "compare",
    "duet",
    "expect",
    "fault",
    "feeder",
    "gate",
    "pause",
    "ramp",
    "run",
    "search",
    "setup_data",
    "shape",
    "spike",
    "steady",
    "stress",
]

_HOME = {
    "HarnessError": "harness.errors",
    "HttpUser": "harness.engine.http.user",
    "LineWatcher": "harness.api.plain_output:PlainOutput",
    "Run": "harness.api.result",
    "RunInterrupted": "harness.api.result",
    "bench": "harness.api.bench",
    "check": "harness.engine.checks",
    "compare": "harness.api.compare",
    "duet": "harness.api.duet",
    "expect": "harness.engine.expectation",
    "feeder": "harness.engine.feeder",
    "fault": "harness.plan.dsl",
    "gate": "harness.plan.dsl",
    "run": "harness.api.run",
    "setup_data": "harness.engine.setup_data",
}


def __getattr__(name: str) -> object:
    value: object
    if name in _HOME:
        module, _, attribute = _HOME[name].partition(":")
        value = getattr(importlib.import_module(module), attribute or name)
    elif not _is_module(name) and name in importlib.import_module("harness.plan.phases").KINDS:
        value = importlib.import_module("harness.plan.dsl").PhaseFunction(name)
    else:
        raise AttributeError(f"module 'harness' has no attribute {name!r}")
    globals()[name] = value
    return value


def _is_module(name: str) -> bool:
    """Whether ``from harness import name`` means a module: Python asks here before it loads one."""
    return importlib.util.find_spec(f"harness.{name}") is not None


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])

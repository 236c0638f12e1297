"""Which figures have the same causes, and which metric a gate is on."""

from __future__ import annotations

import re
from typing import Literal

from harness.metrics import RUN_METRICS
from harness.metrics.named import PATTERN as NAMED
from harness.metrics.named import metric_name, name_in
from harness.metrics.series import PATTERN, SeriesFigure
from harness.record.gate_result import GateResult

Family = Literal[
    "time", "errors", "cpu", "memory", "capacity", "invariant", "contract", "database", "downstream", "run", "other"
]
"""Figures of one family have the same causes. ``run``: the run itself was broken."""
_FAMILIES: dict[str, Family] = {
    "error_rate": "errors",
    "cpu_per_request": "cpu",
    "queries_per_request": "database",
    "db_time": "database",
    "downstream_time": "downstream",
    "rss_max": "memory",
    "rss_growth": "memory",
    "contract_breaches": "contract",
    "contract": "contract",
}


def metric_of(gate: GateResult) -> str:
    """The metric that a gate is on: the first word of what it requires, the figure of a series, or a named one."""
    if gate.code in ("gate-figure-broken", "gate-figure-holds"):
        return metric_name("verify", str(gate.params["figure"]))
    if named := re.match(NAMED, gate.require):
        return metric_name("check" if named[0][0] in "cC" else "verify", name_in(named[0]))
    figure = re.match(PATTERN, gate.require)
    if figure:
        return str(SeriesFigure.parse(figure[0]))
    found = re.match(r"[\w.]+", gate.require)
    return found[0] if found else gate.require


def family_of(metric: str) -> Family:
    if metric == "verify" or metric.startswith("verify("):
        return "invariant"
    known = RUN_METRICS.get(metric)
    if known is not None and known.needs == "steps":
        return "capacity"
    if known is not None and known.needs == "faults":
        return "errors"
    return _FAMILIES.get(metric, "time" if known else "other")

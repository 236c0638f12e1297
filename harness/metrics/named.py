"""Metrics that a scenario names: the share of a check that passed, ``check("total is right")``, and the figures that
its ``verify`` finds, ``verify("lost_writes")``.
"""

from __future__ import annotations

import re
from functools import cache
from typing import Any, Literal

from harness.metrics.metric import Direction, Metric
from harness.metrics.statistics import Exact, Proportion
from harness.metrics.units import NUMBER, PERCENT

Kind = Literal["check", "verify"]

PATTERN = r"""(?i:(?:check|verify)\s*\(\s*(?:"[^"]*"|'[^']*')\s*\))"""
"""Such a metric, as the grammar of requirements finds it."""
_PARTS = re.compile(r"""(check|verify)\s*\(\s*(?:"([^"]*)"|'([^']*)')\s*\)""", re.IGNORECASE)


def metric_name(kind: Kind, name: str) -> str:
    """The name of the metric, however the user spelled it: ``check("total is right")``."""
    quote = "'" if '"' in name else '"'
    return f"{kind}({quote}{name}{quote})"


def name_in(metric: str) -> str:
    """The check or figure that a metric of :data:`PATTERN` names."""
    found = _PARTS.match(metric)
    assert found is not None
    return (found[2] or found[3] or "").strip()


def is_named(metric: str) -> bool:
    """Whether a metric's name is that of a check or of a figure of ``verify``."""
    return metric.startswith(("check(", "verify("))


@cache
def named_metric(metric: str, better: Direction = "higher") -> Metric[Any]:
    """The metric of that name. Which direction is better of a figure of ``verify``, only its gate knows."""
    if metric.startswith("check("):
        passed = Proportion(lambda counts: counts.requests - counts.failures)
        return Metric(metric, PERCENT, "higher", passed, f"Share of the checks {name_in(metric)} that passed",
                      needs="checks")  # fmt: skip
    figure: Exact[float] = Exact(lambda value: value)
    return Metric(metric, NUMBER, better, figure, f"What verify says of {name_in(metric)}", needs="verify",
                  others_matter=False)  # fmt: skip

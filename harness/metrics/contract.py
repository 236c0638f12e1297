"""Metrics of the checks against a contract. They count what was checked, so they have no interval."""

from __future__ import annotations

from typing import NamedTuple

from harness.metrics.metric import Metric
from harness.metrics.statistics import Exact
from harness.metrics.units import NUMBER


class CheckedAgainstContract(NamedTuple):
    """Responses of a phase, or of an endpoint in it: how many were checked, and in how many a breach was found."""

    checked: int
    breached: int


METRICS: tuple[Metric[CheckedAgainstContract], ...] = (
    Metric(
        "contract_breaches",
        NUMBER,
        "lower",
        Exact(lambda counts: float(counts.breached) if counts.checked else None),
        "Checked responses that broke the OpenAPI document",
        ("breaches", "contract_violations"),
        needs="contract",
        others_matter=False,
    ),
)

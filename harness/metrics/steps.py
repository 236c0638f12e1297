"""Metrics of the steps of a stress or search phase: what the target held."""

from __future__ import annotations

from dataclasses import dataclass

from harness.metrics.metric import Metric
from harness.metrics.units import NUMBER, PER_SECOND, Unit


@dataclass(frozen=True, slots=True)
class HighestHeld:
    """The highest level that held, of levels in ascending order; 0 if the first of them broke."""

    def value(self, data: float) -> float:
        return data


def _capacity(name: str, unit: Unit, what: str) -> Metric[float]:
    help = f"Highest number of {what} that a stress or search phase held"
    return Metric(name, unit, "higher", HighestHeld(), help, needs="steps", compared=True)


METRICS = {
    "open": _capacity("capacity", PER_SECOND, "arrivals per second"),
    "closed": _capacity("capacity_users", NUMBER, "users"),
}
"""By the model of the phase."""

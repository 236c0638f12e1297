"""Metrics of what requests do inside the target, from the requests that were traced."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness.metrics.metric import Metric
from harness.metrics.units import MILLISECONDS, NUMBER

if TYPE_CHECKING:
    from harness.metrics.theil_sen import Floats


@dataclass(frozen=True, eq=False)
class TracedWork:
    """Traced requests: arrays of shape ``(n,)``. ``at_s`` is when each was due, on the run's clock."""

    at_s: Floats
    statements: Floats
    """How many database statements each ran."""
    db_ms: Floats
    downstream_ms: Floats


@dataclass(frozen=True, slots=True)
class PerRequest:
    """The mean over traced requests.

    ``kind``: which spans show it. A target that records none of them may do it all the same.
    """

    kind: str
    of: Callable[[TracedWork], Floats]

    def value(self, data: TracedWork) -> float | None:
        return float(self.of(data).mean()) if len(data.at_s) else None


METRICS: tuple[Metric[TracedWork], ...] = (
    Metric(
        "queries_per_request",
        NUMBER,
        "lower",
        PerRequest("database", lambda work: work.statements),
        "Database statements per traced request",
        ("queries", "statements", "statements_per_request"),
        needs="traces",
        compared=True,
        between_runs=0.02,
        others_matter=False,
    ),
    Metric(
        "db_time",
        MILLISECONDS,
        "lower",
        PerRequest("database", lambda work: work.db_ms),
        "Time that a traced request waits for its database statements",
        ("database_time", "query_time"),
        needs="traces",
        compared=True,
        between_runs=0.1,
    ),
    Metric(
        "downstream_time",
        MILLISECONDS,
        "lower",
        PerRequest("downstream", lambda work: work.downstream_ms),
        "Time that a traced request waits for the services that it calls",
        ("external_time",),
        needs="traces",
        compared=True,
        between_runs=0.1,
    ),
)

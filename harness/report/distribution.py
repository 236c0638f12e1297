"""The distribution of response times by phase and endpoint: ranges, histogram, percentile curve."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

import numpy as np

from harness.plan.model import RunPlan
from harness.record.endpoint_second import EndpointSecond
from harness.record.histogram import Histogram, highest_of
from harness.recording.run import PhaseRecord
from harness.report.endpoints_over_time import log_rows
from harness.report.time_series import rounded

ROWS_PER_DECADE = 40

CURVE = (
    0.0,
    *(step / 20 for step in range(1, 18)),
    0.9,
    0.925,
    0.95,
    0.97,
    0.98,
    0.99,
    0.995,
    0.998,
    0.999,
    0.9995,
    0.9999,
    1.0,
)
"""The shares at which the percentile curve is drawn."""

_DEFAULT_BOUNDS_MS = (800.0, 1200.0)


def range_bounds_ms(plan: RunPlan) -> tuple[float, float]:
    """The bounds between fast, tolerable and slow responses.

    They are half the tightest limit of a gate on a response time, and that limit; without one 800 and 1,200 ms, as in
    Gatling.
    """
    limits = [
        gate.comparison.value
        for gate in plan.gates
        if gate.comparison.unit == "ms" and not gate.comparison.baseline and gate.comparison.comparator in ("<", "<=")
    ]
    return (min(limits) / 2, min(limits)) if limits else _DEFAULT_BOUNDS_MS


def distributions(
    records: Sequence[PhaseRecord], endpoint: int | None, bounds_ms: tuple[float, float]
) -> dict[str, Any]:
    """What :func:`_distribution` returns, by phase (its index as text; ``measured``: all measured phases together).

    A phase without requests is missing. ``endpoint`` None stands for all endpoints.
    """
    by_phase: defaultdict[str, list[EndpointSecond]] = defaultdict(list)
    for record in records:
        parts = [part for part in record.totals if endpoint in (None, part.endpoint)]
        for name in (str(record.index), "measured") if record.plan.measured else (str(record.index),):
            by_phase[name] += parts
    return {phase: _distribution(parts, bounds_ms) for phase, parts in by_phase.items() if parts}


def _distribution(parts: list[EndpointSecond], bounds_ms: tuple[float, float]) -> dict[str, Any]:
    """``ranges``: counts of successful requests below the first bound, between both, above; and of failed requests.

    ``ok`` and ``failed`` are flat lists of row, count … on a logarithmic scale. ``curve`` and, in the open model,
    ``service`` are milliseconds at the shares of :data:`CURVE`.
    """
    response = Histogram.merged([part.response for part in parts])
    failed = Histogram.merged([part.failed for part in parts])
    ok = response.minus(failed)
    highest_ms = highest_of(ok.indices) / 1000
    below = [int(ok.counts[highest_ms < bound].sum()) for bound in bounds_ms]
    figures: dict[str, Any] = {
        "ranges": [below[0], below[1] - below[0], ok.count - below[1], failed.count],
        "ok": _rows(ok),
        "failed": _rows(failed),
        "curve": _curve(response),
    }
    if any(part.service is not part.response for part in parts):
        figures["service"] = _curve(Histogram.merged([part.service for part in parts]))
    return figures


def _rows(histogram: Histogram) -> list[int]:
    counts = np.bincount(log_rows(histogram.indices, ROWS_PER_DECADE), weights=histogram.counts).astype(np.int64)
    filled = np.flatnonzero(counts)
    flat: list[int] = np.stack([filled, counts[filled]], axis=1).ravel().tolist()
    return flat


def _curve(histogram: Histogram) -> list[float | None]:
    return rounded(histogram.quantile_us(share) / 1000 for share in CURVE)

"""Problems in the target's surroundings: full pools, lock waits, cache misses, servers at the limit.

A finding needs no baseline where a limit is known (a pool's size, ``max_connections``); a cache's hit ratio is compared
with the baseline's.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from harness.analysis.comparability import beside_baseline
from harness.analysis.contamination import contamination_of
from harness.analysis.measurement import measure
from harness.analysis.samples import Floats
from harness.analysis.series import Counter, Gauge, PhaseSeries, Quotient, phase_series
from harness.messages import Message, message
from harness.metrics.formatting import Amount
from harness.metrics.series import SeriesFigure
from harness.plan.duet import B
from harness.record.measurement import ALL, ONLY
from harness.recording.run import PhaseRecord, RunRecording
from harness.sources.pools import pools_in

FULL = 0.5
"""The share of the phase's seconds in which a pool was full, a lock was waited for, from which on it is a finding."""
LOCKED = 0.1
NEARLY = 0.9
"""The share of ``max_connections``."""
FELL = 0.1
"""By how much of the reads a hit ratio must have fallen."""

Kind = Literal["pool-full", "pool-waits", "lock-waits", "connections-exhausted", "cache-hits-fell", "evictions"]

_CODES: dict[Kind, str] = {
    "pool-full": "surroundings-pool-full",
    "pool-waits": "surroundings-pool-waits",
    "lock-waits": "surroundings-lock-waits",
    "connections-exhausted": "surroundings-connections-exhausted",
    "cache-hits-fell": "surroundings-cache-hits-fell",
    "evictions": "surroundings-evictions",
}


@dataclass(frozen=True, slots=True)
class SurroundingsFinding:
    """One thing that the surroundings show."""

    kind: Kind
    source: str
    series: str
    observed: float
    """Its mean, rate or ratio in the phase."""
    reference: float | None
    """The pool's size, ``max_connections``, or the baseline's figure."""
    share: float
    """Of the phase's seconds, without those that faults disturbed, in which it held, 0…1."""
    start_s: float
    end_s: float
    """The first and the last such second, in seconds of the run."""
    reason: Message


def surroundings_warnings(run: RunRecording) -> Iterator[Message]:
    """What the measured phases show, as sentences."""
    for record in run.phases:
        if record.plan.measured and record.variant in (ONLY, B):
            for finding in surroundings_of(record, run):
                yield message("phase-surroundings", phase=record.plan.name, finding=finding.reason)


def surroundings_of(record: PhaseRecord, run: RunRecording) -> list[SurroundingsFinding]:
    """What was found in a phase, what held longest first; nothing without a source. Not what a fault made."""
    found = phase_series(record, run, contamination_of(record, run).not_counted)
    names = list(found.names())
    findings = [
        *_pools(names, found),
        *_locks(names, found),
        *_evictions(names, found),
        *_cache_hits(names, found, record, run),
    ]
    return sorted(findings, key=lambda finding: -finding.share)


def _pools(names: Sequence[tuple[str, str]], found: PhaseSeries) -> Iterator[SurroundingsFinding]:
    for source in dict.fromkeys(source for source, _ in names):
        for pool in pools_in([name for each, name in names if each == source]):
            used, size = (found.find(f"{source}.{name}") for name in (pool.in_use, pool.size))
            if isinstance(used, Gauge) and isinstance(size, Gauge) and size.values.max() > 0:
                limit = float(size.values.max())
                yield from _held("pool-full", source, pool.in_use, used, used.values >= limit, FULL, limit)
            waiting = found.find(f"{source}.{pool.waiting}") if pool.waiting else None
            if isinstance(waiting, Gauge):
                yield from _held("pool-waits", source, pool.waiting or "", waiting, waiting.values > 0, FULL)


def _locks(names: Sequence[tuple[str, str]], found: PhaseSeries) -> Iterator[SurroundingsFinding]:
    for source, name in names:
        series = found.find(f"{source}.{name}")
        if name == "connections_waiting_for_locks" and isinstance(series, Gauge):
            yield from _held("lock-waits", source, name, series, series.values > 0, LOCKED)
        if name == "connections_used_ratio" and isinstance(series, Quotient):
            used = Gauge(series.at_s, series.above)
            limit = float(series.below.max())
            full = series.above >= NEARLY * series.below
            yield from _held("connections-exhausted", source, name, used, full, 0.0, limit)


def _evictions(names: Sequence[tuple[str, str]], found: PhaseSeries) -> Iterator[SurroundingsFinding]:
    for source, name in names:
        series = found.find(f"{source}.{name}")
        if name == "evicted_keys" and isinstance(series, Counter):
            rates = Gauge(series.at_s, series.gained / series.lengths_s)
            yield from _held("evictions", source, name, rates, series.gained > 0, 0.0)


def _cache_hits(
    names: Sequence[tuple[str, str]], found: PhaseSeries, record: PhaseRecord, run: RunRecording
) -> Iterator[SurroundingsFinding]:
    phase = measure(run).phase(record.plan.name, record.variant)
    for source, name in names:
        series = found.find(f"{source}.{name}")
        if phase is None or "hit" not in name or not isinstance(series, Quotient):
            continue
        beside = beside_baseline(run, phase, ALL, str(SeriesFigure(f"{source}.{name}", "mean")))
        if beside is not None and beside.figures:
            before = float(np.mean([figure.value for figure in beside.figures]))
            if beside.observed.value < before - FELL:
                kept = Gauge(series.at_s[series.below > 0], series.values)
                low = kept.values < before - FELL
                yield from _held("cache-hits-fell", source, name, kept, low, 0.0, before, beside.observed.value)


def _held(
    kind: Kind,
    source: str,
    name: str,
    series: Gauge,
    when: npt.NDArray[np.bool_],
    least: float,
    reference: float | None = None,
    observed: float | None = None,
) -> Iterator[SurroundingsFinding]:
    """The finding, if it held in more than a share ``least`` of the readings."""
    share = float(when.mean()) if len(when) else 0.0
    if share <= least:
        return
    seconds: Floats = np.floor(series.at_s[when])
    figure = float(series.values.mean()) if observed is None else observed
    params = {
        "source": source,
        "series": name,
        "observed": Amount(figure, ""),
        "reference": None if reference is None else Amount(reference, ""),
        "share": Amount(100 * share, "%"),
    }
    yield SurroundingsFinding(
        kind,
        source,
        name,
        figure,
        reference,
        share,
        float(seconds[0]),
        float(seconds[-1]) + 1,
        Message(_CODES[kind], params),
    )

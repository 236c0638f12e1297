"""The requests of one phase and endpoint, second by second: the input of every interval."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from harness.metrics.aggregate import Aggregate
from harness.record.histogram import Histogram, Narrow
from harness.record.journal import Journal
from harness.record.measurement import ALL
from harness.recording.run import PhaseRecord, SecondEntry

Floats = npt.NDArray[np.float64]

_SHORTEST_S = 1e-9
_NOTHING = np.zeros(0, dtype=np.uint16)


@dataclass(frozen=True, eq=False)
class Sample:
    """``n`` seconds of requests.

    Arrays of shape ``(n,)``: ``lengths_s`` (how much of the second lies in the phase), ``planned`` (the same, weighted
    with the load goal, so that a ramp's rise does not count as noise), ``requests``, ``started`` (those
    that count for the throughput), ``failures``, ``timed`` (requests
    with a response time) and ``sum_us`` (of their response times). The response times themselves are flat: entry ``i``
    means that ``counts[i]`` requests of second ``seconds[i]`` (0…n-1) lie in ``buckets[i]``.

    A request belongs to the second in which it ended; those that ended after their phase count in its last second.
    """

    lengths_s: Floats
    planned: Floats
    requests: Floats
    started: Floats
    failures: Floats
    timed: Floats
    sum_us: Floats
    max_us: int
    seconds: Narrow
    buckets: Narrow
    counts: Narrow

    @property
    def n(self) -> int:
        return len(self.lengths_s)

    @cached_property
    def merged(self) -> Histogram:
        """All response times together, exact in every bucket."""
        summed = np.bincount(self.buckets, weights=self.counts)
        indices = np.flatnonzero(summed)
        return Histogram(indices, summed[indices].astype(np.int64), int(self.sum_us.sum()), self.max_us)

    def within(self, bucket: int) -> Floats:
        """How many requests of each second took no longer than the times in ``bucket``; shape ``(n,)``."""
        here = self.buckets <= bucket
        return np.bincount(self.seconds[here], weights=self.counts[here], minlength=self.n).astype(np.float64)

    @cached_property
    def aggregate(self) -> Aggregate:
        """All seconds added up: what a metric's value is computed from."""
        requests, started, failures = (int(each.sum()) for each in (self.requests, self.started, self.failures))
        return Aggregate(requests, started, failures, self.merged, float(self.lengths_s.sum()))


def samples_of(record: PhaseRecord, journal: Journal) -> dict[str, Sample]:
    """The samples of a phase by endpoint (``POST /checkout``), and under :data:`ALL` all together."""
    groups: dict[str, list[SecondEntry]] = {ALL: record.endpoint_seconds}
    for second, entry in record.endpoint_seconds:
        groups.setdefault(str(journal.endpoints[entry.endpoint]), []).append((second, entry))
    return {key: _sample(parts, record) for key, parts in groups.items()}


def _sample(parts: Sequence[SecondEntry], record: PhaseRecord) -> Sample:
    """The sample of what ended in each second of a phase.

    Seconds are those of the run's clock; the phase's first and last, which it shares with others, are joined to a
    neighbour where less than half of them is the phase's.
    """
    start_s, end_s = record.start_s, record.start_s + record.load_s
    n = max(1, round(end_s - start_s))
    first = round(start_s)
    edges = np.arange(first, first + n + 1, dtype=np.float64)
    edges[0], edges[-1] = start_s, end_s
    at = np.clip(np.array([second - first for second, _ in parts], dtype=np.int32), 0, n - 1)
    entries = [entry for _, entry in parts]
    times = [entry.response for entry in entries]

    def by_second(values: list[int]) -> Floats:
        return np.asarray(np.bincount(at, weights=values, minlength=n), dtype=np.float64)

    return Sample(
        lengths_s=np.maximum(np.diff(edges), _SHORTEST_S),
        planned=_planned(record, edges),
        requests=by_second([entry.requests for entry in entries]),
        started=by_second([entry.started for entry in entries]),
        failures=by_second([entry.failures for entry in entries]),
        timed=by_second([each.count for each in times]),
        sum_us=by_second([each.sum_us for each in times]),
        max_us=max((each.max_us for each in times), default=0),
        seconds=np.repeat(at, [len(each.indices) for each in times]),
        buckets=np.concatenate([_NOTHING, *(each.indices for each in times)]),
        counts=np.concatenate([_NOTHING, *(each.counts for each in times)]),
    )


def _planned(record: PhaseRecord, edges: Floats) -> Floats:
    """The seconds between ``edges`` (run's clock), each weighted with its share of the load goal; the sum is kept."""
    lengths = np.maximum(np.diff(edges), _SHORTEST_S)
    at, load = [record.start_s], [0.0]
    for segment in record.plan.segments:
        # The goal runs linearly, so its integral is a parabola.
        share = np.linspace(0, 1, 101)[1:]
        rise = segment.start * share + (segment.end - segment.start) * share**2 / 2
        at += (at[-1] + share * segment.duration_s).tolist()
        load += (load[-1] + rise * segment.duration_s).tolist()
    weighted = np.diff(np.interp(edges, at, load))
    if weighted.sum() <= 0:
        return lengths
    return np.asarray(np.maximum(weighted * lengths.sum() / weighted.sum(), _SHORTEST_S))

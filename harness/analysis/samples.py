"""The requests of one phase and endpoint, second by second: the input of every interval."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from harness.metrics.aggregate import Aggregate
from harness.plan.duet import BLOCK
from harness.record.histogram import Histogram, Ints, Narrow, highest_of
from harness.record.journal import Journal
from harness.record.measurement import ALL
from harness.record.second_table import AFTER, FAILURES, KINDS, MAXIMA_US, RESPONSE, SUMS_US, SecondTable
from harness.recording.run import PhaseRecord

Floats = npt.NDArray[np.float64]

_BY_SECOND = ("lengths_s", "planned", "requests", "started", "failures", "timed", "sum_us")
_SHORTEST_S = 1e-9
_ROUNDING_S = 1e-3
_PARTS = 64
"""Entries are counted beforehand in this many parts, so that to read one bucket only one part is counted."""


@dataclass(frozen=True, eq=False)
class Sample:
    """``n`` seconds of requests.

    Arrays of shape ``(n,)``: ``lengths_s`` (how much of the second lies in the phase), ``planned`` (the same, weighted
    with the load goal, so that a ramp's rise does not count as noise), ``requests``, ``started`` (those that count for
    the throughput), ``failures``, ``timed`` (requests with a response time) and ``sum_us`` (of their response times).
    The response times themselves are flat: entry ``i`` means that ``counts[i]`` requests of second ``seconds[i]``
    (0…n-1) lie in ``buckets[i]``.

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

    def only(self, kept: npt.NDArray[np.bool_]) -> Sample:
        """The seconds of ``kept`` (shape ``(n,)``), as if they followed each other."""
        numbers = np.cumsum(kept) - 1
        entries = kept[self.seconds]
        buckets = self.buckets[entries]
        highest_us = int(highest_of(buckets.max(keepdims=True))[0]) if len(buckets) else 0
        by_second = {name: getattr(self, name)[kept] for name in _BY_SECOND}
        return Sample(
            **by_second,
            max_us=min(self.max_us, highest_us),
            seconds=numbers[self.seconds[entries]].astype(self.seconds.dtype),
            buckets=buckets,
            counts=self.counts[entries],
        )

    @cached_property
    def merged(self) -> Histogram:
        """All response times together, exact in every bucket."""
        summed = np.bincount(self.buckets, weights=self.counts)
        indices = np.flatnonzero(summed)
        return Histogram(indices, summed[indices].astype(np.int64), int(self.sum_us.sum()), self.max_us)

    @cached_property
    def _by_bucket(self) -> tuple[Narrow, Narrow, Narrow]:
        order = np.argsort(self.buckets, kind="stable")
        return self.buckets[order], self.seconds[order], self.counts[order]

    @cached_property
    def _parts(self) -> tuple[Ints, Floats]:
        """Where each part of the ordered entries begins, and how many requests of each second lie before it."""
        _, seconds, counts = self._by_bucket
        begins = np.arange(_PARTS + 1) * len(seconds) // _PARTS
        keys = np.repeat(np.arange(1, _PARTS + 1) * self.n, np.diff(begins)) + seconds
        summed = np.bincount(keys, weights=counts, minlength=(_PARTS + 1) * self.n)
        return begins, summed.reshape(-1, self.n).cumsum(axis=0)

    def within(self, bucket: int) -> Floats:
        """How many requests of each second took no longer than the times in ``bucket``; shape ``(n,)``."""
        buckets, seconds, counts = self._by_bucket
        begins, before = self._parts
        end = int(buckets.searchsorted(bucket, side="right"))
        part = int(begins.searchsorted(end, side="right")) - 1
        rest = slice(begins[part], end)
        return np.asarray(before[part] + np.bincount(seconds[rest], weights=counts[rest], minlength=self.n))

    @cached_property
    def aggregate(self) -> Aggregate:
        """All seconds added up: what a metric's value is computed from."""
        requests, started, failures = (int(each.sum()) for each in (self.requests, self.started, self.failures))
        return Aggregate(requests, started, failures, self.merged, float(self.lengths_s.sum()))


def seconds_in(record: PhaseRecord) -> range:
    """The seconds of the run that a phase's samples consist of; of a duet, those that both builds share."""
    first, load_s = round(record.start_s), record.length_s if record.turns else record.load_s
    return range(first, first + max(1, round(load_s)))


def kept_in(record: PhaseRecord, left_out: Collection[int]) -> npt.NDArray[np.bool_]:
    """Which parts of its samples a phase keeps without the seconds ``left_out``: seconds, or whole blocks of a duet."""
    if not record.turns:
        return np.array([second not in left_out for second in seconds_in(record)], dtype=np.bool_)
    ends_s = record.start_s + _blocks(record).sum(axis=1).cumsum()
    begins_s = [record.start_s, *ends_s[:-1]]
    touched = (range(math.floor(begin), math.ceil(end)) for begin, end in zip(begins_s, ends_s, strict=True))
    return np.array([not any(second in left_out for second in seconds) for seconds in touched], dtype=np.bool_)


def samples_of(record: PhaseRecord, journal: Journal) -> Iterator[tuple[str, Sample]]:
    """The samples of a phase: of :data:`ALL` endpoints together, then of each (``POST /checkout``)."""
    table = record.table
    yield ALL, whole_sample(record)
    for number in np.unique(table.endpoint).tolist():
        yield str(journal.endpoints[number]), _sample(table.of(np.flatnonzero(table.endpoint == number)), record)


def whole_sample(record: PhaseRecord) -> Sample:
    """The sample of all endpoints of a phase together."""
    return _sample(record.table, record)


def _sample(table: SecondTable, record: PhaseRecord) -> Sample:
    """The sample of what ended in each second of a phase.

    Seconds are those of the run's clock; the phase's first and last, which it shares with others, are joined to a
    neighbour where less than half of them is the phase's.
    """
    if record.turns:
        return sample_of_turns(table, record)
    start_s, end_s = record.start_s, record.start_s + record.load_s
    during = seconds_in(record)
    n, first = len(during), during.start
    edges = np.arange(first, first + n + 1, dtype=np.float64)
    edges[0], edges[-1] = start_s, end_s
    at = np.clip(table.second - first, 0, n - 1).astype(np.int32)
    return _sample_by(table, at, np.maximum(np.diff(edges), _SHORTEST_S), _planned(record, edges))


def sample_of_turns(table: SecondTable, record: PhaseRecord) -> Sample:
    """The same of one build of a duet, by blocks of turns instead of seconds."""
    turns_s = _blocks(record)
    own_s = (turns_s * np.array(record.turns).reshape(-1, BLOCK)[: len(turns_s)]).sum(axis=1)
    at = turn_of(table, record) // BLOCK
    rows = np.flatnonzero((table.segment != AFTER) & (at < len(own_s)))
    return _sample_by(table.of(rows), at[rows].astype(np.int32), own_s, own_s)


def _blocks(record: PhaseRecord) -> Floats:
    """How long the turns of each block of a duet were. In a block that was cut short, a build may lack its turns."""
    turns_s = np.array([segment.duration_s for segment in record.plan.segments]).reshape(-1, BLOCK)
    return turns_s[: max(1, int(np.searchsorted(turns_s.sum(axis=1).cumsum(), record.length_s + _ROUNDING_S, "right")))]


def turn_of(table: SecondTable, record: PhaseRecord) -> Ints:
    """Which turn each row belongs to, counted from 0: the build's own in which its iteration began.

    A task's later requests may reach into another build's turn.
    """
    own = np.array(record.turns)
    latest: Ints = np.maximum.accumulate(np.where(own, np.arange(len(own)), int(np.argmax(own))))
    return latest[np.minimum(table.segment, len(own) - 1)]


def _sample_by(table: SecondTable, at: Narrow, lengths_s: Floats, planned: Floats) -> Sample:
    """The sample of a table whose row ``i`` belongs to span ``at[i]`` of those with these lengths."""
    n = len(lengths_s)
    sizes, buckets, counts = table.histograms(np.arange(len(table)) * KINDS + RESPONSE)
    seconds = np.repeat(at, sizes)

    def by_second(values: Ints) -> Floats:
        return np.asarray(np.bincount(at, weights=values, minlength=n), dtype=np.float64)

    return Sample(
        lengths_s=lengths_s,
        planned=planned,
        requests=by_second(table.requests),
        started=by_second(np.where(table.segment == AFTER, 0, table.requests)),
        failures=by_second(table.rows[:, FAILURES]),
        timed=np.asarray(np.bincount(seconds, weights=counts, minlength=n), dtype=np.float64),
        sum_us=by_second(table.rows[:, SUMS_US + RESPONSE]),
        max_us=int(table.rows[:, MAXIMA_US + RESPONSE].max(initial=0)),
        seconds=seconds,
        buckets=buckets,
        counts=counts,
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

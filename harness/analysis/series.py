"""Series from the target's surroundings in a phase, and the figures of gates on them.

A gauge's mean has an interval from overlapping blocks of its readings (:mod:`harness.analysis.intervals`). The mean of
a quotient (a histogram's sum by its count, hits by reads) is one of two sums over seconds; its variance is that of the
linearised ratio estimator, as for CPU time per request. A counter's rate counts everything, so it is exact. So are a
maximum, a minimum and a last value: they are what was observed.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from harness.analysis.intervals import FEWEST, block_variance, student
from harness.analysis.samples import Floats
from harness.metrics.series import SeriesFigure
from harness.plan.duet import B
from harness.plan.metrics_tables import OWN_SOURCES, kind_of, ratio_of, split_name
from harness.plan.model.sampling import MetricsSource
from harness.record.measurement import ONLY, Interval
from harness.record.metric_readings import MetricReading
from harness.recording.run import PhaseRecord, RunRecording
from harness.recording.streams import METRICS


@dataclass(frozen=True, eq=False)
class Gauge:
    """What was so at each moment; arrays of shape ``(n,)``, ``at_s`` from the run's start."""

    at_s: Floats
    values: Floats


@dataclass(frozen=True, eq=False)
class Counter:
    """By how much a total grew from reading to reading: arrays of shape ``(n,)``; ``at_s`` is the later reading's."""

    at_s: Floats
    lengths_s: Floats
    gained: Floats

    @property
    def rate(self) -> float:
        """Per second over all of it."""
        return float(self.gained.sum() / self.lengths_s.sum())


@dataclass(frozen=True, eq=False)
class Quotient:
    """What was added up, and what it is divided by, from reading to reading: arrays of shape ``(n,)``."""

    at_s: Floats
    above: Floats
    below: Floats

    @property
    def values(self) -> Floats:
        """Of those readings between which there was anything to divide by."""
        there = self.below > 0
        return np.asarray(self.above[there] / self.below[there])


Series = Gauge | Counter | Quotient


class PhaseSeries:
    """All series of one source or more between two moments of a run."""

    def __init__(
        self, readings: Sequence[MetricReading], sources: Sequence[MetricsSource], epoch_s: float, left_out: Floats
    ) -> None:
        self._sources = sources
        self._epoch_s = epoch_s
        self._left_out = left_out
        self._by_source: dict[str, list[MetricReading]] = {}
        for reading in readings:
            self._by_source.setdefault(reading.source, []).append(reading)

    def find(self, name: str) -> Series | None:
        """The series of that name, with or without its source; None if it was not recorded."""
        source, series = split_name(name, self._sources)
        sources = [source] if source else [one for one in self._by_source if one not in OWN_SOURCES]
        return next((found for each in sources if (found := self._in(each, series)) is not None), None)

    def names(self) -> Iterator[tuple[str, str]]:
        """Source and name of each series that was recorded, in order, and of each ratio."""
        for source, readings in self._by_source.items():
            if source in OWN_SOURCES:
                continue
            seen = {name: None for reading in readings for name in (*reading.gauges, *reading.counters)}
            for name in (*self._ratios(source), *seen):
                base = name.removesuffix("_sum")
                is_histogram = base != name and f"{base}_count" in seen
                yield source, base if is_histogram else name

    def _ratios(self, source: str) -> Mapping[str, str]:
        declared = next((one for one in self._sources if one.name == source), None)
        return {} if declared is None else {**kind_of(declared).ratios, **declared.ratios}

    def _in(self, source: str, name: str) -> Series | None:
        ratio = self._ratios(source).get(name)
        if ratio is not None:
            above, below = ([self._plain(source, part) for part in side] for side in ratio_of(ratio))
            return _quotient(above, below)
        plain = self._plain(source, name)
        if plain is not None:
            return plain
        parts = [self._plain(source, name + ending) for ending in ("_sum", "_count")]
        return _quotient(parts[:1], parts[1:])

    def _plain(self, source: str, name: str) -> Gauge | Counter | None:
        readings = self._by_source.get(source, [])
        gauge = [(one.epoch_s - self._epoch_s, one.gauges[name]) for one in readings if name in one.gauges]
        if gauge:
            at_s, values = np.array(gauge).T
            kept = self._kept(at_s)
            return Gauge(at_s[kept], values[kept]) if kept.any() else None
        counter = [(one.epoch_s - self._epoch_s, one.counters[name]) for one in readings if name in one.counters]
        if len(counter) < 2:
            return None
        at_s, lengths_s, gained = np.array(
            # A total that fell was set back: its server started again, and counted from 0.
            [
                (end, end - begin, after - before if after >= before else after)
                for (begin, before), (end, after) in pairwise(counter)
            ]
        ).T
        kept = self._kept(at_s - lengths_s / 2)  # it grew before it was read
        return Counter(at_s[kept], lengths_s[kept], gained[kept]) if kept.any() else None

    def _kept(self, at_s: Floats) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
        return ~np.isin(np.floor(at_s), self._left_out)


def _quotient(above: Sequence[Series | None], below: Sequence[Series | None]) -> Quotient | None:
    """Of sums of counters or of gauges that were read at the same times."""
    parts = [*above, *below]
    if any(part is None or isinstance(part, Quotient) for part in parts):
        return None
    plain = [part for part in parts if isinstance(part, Gauge | Counter)]
    if len({(type(part), len(part.at_s)) for part in plain}) != 1:
        return None
    values = [part.values if isinstance(part, Gauge) else part.gained for part in plain]
    split = len(above)
    return Quotient(plain[0].at_s, np.sum(values[:split], axis=0), np.sum(values[split:], axis=0))


def run_series(run: RunRecording) -> PhaseSeries:
    """What was recorded in the whole run."""

    def compute() -> PhaseSeries:
        readings: list[MetricReading] = run.read(METRICS)
        return PhaseSeries(readings, run.plan.sampling.metrics, run.journal.epoch_s, np.empty(0))

    return run.once("series", compute)


def phase_series(record: PhaseRecord, run: RunRecording, left_out: frozenset[int] = frozenset()) -> PhaseSeries:
    """What was recorded in a phase, without the seconds ``left_out`` of the run."""

    def compute() -> PhaseSeries:
        begin_s, end_s = (run.journal.epoch_s + at_s for at_s in (record.start_s, record.start_s + record.load_s))
        recorded: list[MetricReading] = run.read(METRICS)
        own = (MetricReading(one.epoch_s, one.source, one.values) for one in run.readings if one.source in OWN_SOURCES)
        readings = [one for one in (*recorded, *own) if begin_s <= one.epoch_s < end_s]
        seconds = np.array(sorted(left_out), dtype=np.float64)
        return PhaseSeries(readings, run.plan.sampling.metrics, run.journal.epoch_s, seconds)

    return run.once(f"series of {record.index} {record.variant} without {sorted(left_out)}", compute)


def interval_of(figure: SeriesFigure, found: PhaseSeries) -> Interval | None:
    """A figure and its 95 % interval; None where nothing was recorded to compute it from."""
    series = found.find(figure.series)
    if figure.per is None:
        return None if series is None else _interval(figure.statistic, series)
    other = found.find(figure.per.series)
    if figure.statistic == figure.per.statistic in ("rate", "mean"):
        quotient = _quotient([series], [other])
        if quotient is not None:
            return _mean_of(quotient)
    above, below = interval_of(SeriesFigure(figure.series, figure.statistic), found), interval_of(figure.per, found)
    if above is None or below is None or not below.value:
        return None
    return Interval.exactly(above.value / below.value)


def figures_of(
    record: PhaseRecord, run: RunRecording, left_out: frozenset[int] = frozenset()
) -> dict[str, Interval | None]:
    """What comparisons and gates may need of a phase: of each series its usual figures, and what the plan's gates name.

    In a duet, what surrounds build B is read, which is the one that gates judge.
    """
    if record.variant not in (ONLY, B):
        return {}
    found = phase_series(record, run, left_out)
    figures = [
        SeriesFigure(f"{source}.{name}", statistic)
        for source, name in found.names()
        for statistic in _USUAL.get(type(found.find(f"{source}.{name}")), ())
    ]
    figures += [gate.comparison.series for gate in run.plan.gates if gate.comparison.series is not None]
    return {str(figure): interval_of(figure, found) for figure in figures}


_USUAL: Mapping[type, Sequence[str]] = {Gauge: ("mean", "max", "min"), Counter: ("rate",), Quotient: ("mean",)}


def _interval(statistic: str, series: Series) -> Interval | None:
    match series, statistic:
        case Counter(), "rate":
            return Interval.exactly(series.rate)
        case Gauge(), "mean":
            return _mean(series.values)
        case Quotient(), "mean":
            return _mean_of(series)
        case Gauge() | Quotient(), "max" | "min" | "last":
            values = series.values
            picked = {"max": np.argmax, "min": np.argmin}.get(statistic)
            return Interval.exactly(float(values[-1 if picked is None else picked(values)])) if len(values) else None
    return None


def _mean(values: Floats) -> Interval:
    mean = float(values.mean())
    return _around(mean, (values - mean) / len(values), _least(values))


def _mean_of(quotient: Quotient) -> Interval | None:
    total = float(quotient.below.sum())
    if total <= 0:
        return None
    value = float(quotient.above.sum()) / total
    return _around(value, (quotient.above - value * quotient.below) / total, _least(quotient.above))


def _least(values: Floats) -> float:
    """What a mean of values cannot be below, of whatever time."""
    return 0.0 if (values >= 0).all() else -math.inf


def _around(value: float, deviations: Floats, least: float) -> Interval:
    if len(deviations) < FEWEST:
        return Interval(value=value, low=least, high=None)
    variance, degrees = block_variance(deviations)
    half = student(degrees) * math.sqrt(variance)
    return Interval(value=value, low=max(least, value - half), high=value + half)

"""Every figure of a run or bench beside its baseline's: the change, its interval, and what that means."""

from __future__ import annotations

from collections.abc import Iterator

from harness.analysis.baseline_difference import against, meaning_of, relative
from harness.analysis.comparability import calibrated_noise, earlier_figures, why_not_comparable
from harness.analysis.measurement import measure
from harness.metrics.statistics import Exact
from harness.record.measurement import PhaseMeasurement
from harness.record.summary import Change
from harness.recording.recording import Recording


def changes_of(recording: Recording) -> list[Change]:
    """The changes of all figures that both the recording and its baseline have, in the order of its measurement.

    A phase is compared only with runs that a gate would compare it with (see :mod:`harness.analysis.comparability`).
    """
    if recording.baseline is None:
        return []
    return [change for phase in measure(recording).phases for change in _changes(recording, phase)]


def not_compared(recording: Recording) -> list[str]:
    """For each measured phase of which runs of the baseline are left out, why."""
    reasons = ((phase.name, why_not_comparable(recording, phase)) for phase in measure(recording).phases)
    return [f"{phase}: {reason}" for phase, reason in reasons if reason is not None]


def _changes(recording: Recording, phase: PhaseMeasurement) -> Iterator[Change]:
    compared = [metric for metric in recording.metrics.values() if metric.compared]
    for endpoint, measured in phase.endpoints.items():
        for metric in compared:
            observed = measured.figures.get(metric.name)
            before = earlier_figures(recording, phase, endpoint, metric.name)
            if observed is None or not before:
                continue
            noise = calibrated_noise(recording, phase, endpoint, metric.name)
            baseline, seen = against(observed, before, metric, calibrated=noise)
            change, interval = relative(seen, baseline, metric)
            yield Change(
                phase=phase.name,
                endpoint=recording.shown(endpoint),
                metric=metric.name,
                unit=metric.unit.name,
                baseline=baseline,
                observed=observed.value,
                change=change,
                interval=None if isinstance(metric.statistic, Exact) else interval,
                meaning=meaning_of(interval, metric),
            )

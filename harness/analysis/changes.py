"""Every figure of a run or bench beside its baseline's: the change, its interval, and what that means."""

from __future__ import annotations

from collections.abc import Iterator

from harness.analysis.baseline_difference import against, meaning_of, relative
from harness.analysis.comparability import beside_baseline, why_not_comparable
from harness.analysis.measurement import measure
from harness.messages import Message
from harness.metrics.statistics import Exact
from harness.record.changes import Change
from harness.record.measurement import PhaseMeasurement
from harness.recording.recording import Recording


def changes_of(recording: Recording) -> list[Change]:
    """The changes of all figures that both the recording and its baseline have, in the order of its measurement.

    A phase is compared only with runs that a gate would compare it with (see :mod:`harness.analysis.comparability`).
    """
    if recording.baseline is None:
        return []
    return [change for phase in measure(recording).phases for change in _changes(recording, phase)]


def left_out(recording: Recording) -> dict[str, Message]:
    """By measured phase of which runs of the baseline are left out, why."""
    reasons = ((phase.name, why_not_comparable(recording, phase)) for phase in measure(recording).phases)
    return {phase: reason for phase, reason in reasons if reason is not None}


def _changes(recording: Recording, phase: PhaseMeasurement) -> Iterator[Change]:
    compared = [metric for metric in recording.metrics.values() if metric.compared]
    for endpoint in phase.endpoints:
        for metric in compared:
            beside = beside_baseline(recording, phase, endpoint, metric.name)
            if beside is None or not beside.earlier:
                continue
            baseline, seen = against(beside.observed, beside.figures, metric, calibrated=beside.noise)
            change, interval = relative(seen, baseline, metric)
            apart = (seen.low - baseline, None if seen.high is None else seen.high - baseline)
            yield Change(
                phase=phase.name,
                endpoint=recording.shown(endpoint),
                metric=metric.name,
                unit=metric.unit.name,
                baseline=baseline,
                observed=beside.observed.value,
                change=change,
                interval=None if isinstance(metric.statistic, Exact) else interval,
                machine_slower=beside.slower,
                meaning=meaning_of(apart, metric),
            )

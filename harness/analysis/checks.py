"""The checks of a scenario: how many passed in each phase, with the interval of their share.

A check counts in the second in which it was made. Its share is a proportion like an error rate, with the same interval
(:mod:`harness.analysis.intervals`): checks of one second pass and fail alike, as requests do.
"""

from __future__ import annotations

from collections.abc import Collection

import numpy as np

from harness.analysis.intervals import interval_of
from harness.analysis.samples import Floats, Sample, seconds_in
from harness.metrics.named import metric_name, named_metric
from harness.record.check_reasons import kind_of_reason
from harness.record.measurement import Interval
from harness.record.summary import CheckFigures
from harness.recording.run import PhaseRecord, RunRecording

_MOST_SAMPLES = 3


def check_samples(record: PhaseRecord, run: RunRecording, left_out: Collection[int] = ()) -> dict[str, Sample]:
    """The checks of a phase by their names, second by second, without the seconds of the run that are ``left_out``.

    Each is a sample of as many requests as there were checks, of which so many failed.
    """
    during = seconds_in(record)
    counts: dict[str, Floats] = {}
    for second in run.journal.seconds:
        at = min(max(second.second - during.start, 0), len(during) - 1)
        for check in second.checks:
            if (check.phase, check.variant) == (record.index, record.variant):
                of_check = counts.setdefault(check.name, np.zeros((2, len(during))))
                of_check[:, at] += (check.passed, check.failed)
    kept = np.array([second not in left_out for second in during])
    samples = {name: _sample(*of_check[:, kept]) for name, of_check in counts.items()}
    return {name: samples[name] for name in sorted(samples) if samples[name].requests.any()}


def _sample(passed: Floats, failed: Floats) -> Sample:
    n, none = len(passed), np.zeros(0, dtype=np.int64)
    return Sample(
        lengths_s=np.ones(n),
        planned=np.ones(n),
        requests=passed + failed,
        started=np.zeros(n),
        failures=failed,
        timed=np.zeros(n),
        sum_us=np.zeros(n),
        max_us=0,
        seconds=none,
        buckets=none,
        counts=none,
    )


def figures_of(record: PhaseRecord, run: RunRecording, left_out: Collection[int] = ()) -> dict[str, Interval | None]:
    """The share of each check that passed, in per cent, by the name of its metric."""
    samples = {metric_name("check", name): sample for name, sample in check_samples(record, run, left_out).items()}
    return {metric: interval_of(sample, named_metric(metric)) for metric, sample in samples.items()}


def checks_of(run: RunRecording) -> list[CheckFigures]:
    """Every check of every phase, for the summary."""
    texts: dict[str, dict[str, str]] = {}
    """Of each check: reasons by their kinds."""
    for why in run.journal.check_samples:
        known = texts.setdefault(why.name, {})
        if why.text and len(known) < _MOST_SAMPLES:
            known.setdefault(kind_of_reason(why.text), why.text)
    found = []
    for record in run.phases:
        for name, sample in check_samples(record, run).items():
            share = interval_of(sample, named_metric(metric_name("check", name)))
            assert share is not None
            failed = int(sample.failures.sum())
            found.append(
                CheckFigures(
                    name=name,
                    phase=record.plan.name,
                    variant=record.variant,
                    passed=int(sample.requests.sum()) - failed,
                    failed=failed,
                    share=share.value / 100,
                    interval=(share.low / 100, 1.0 if share.high is None else share.high / 100),
                    samples=[*texts.get(name, {}).values()] if failed else [],
                )
            )
    return found

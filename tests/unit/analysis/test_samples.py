"""Cutting a phase into seconds loses no request and puts each where it belongs."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.analysis.samples import samples_of
from harness.record.endpoint_second import EndpointSecond
from harness.record.histogram import Histogram
from harness.record.measurement import ALL
from harness.recording.run import read_run
from tests.support.plans import ramp, steady
from tests.support.recordings import Failing, record_run


@pytest.mark.parametrize("lead_in_s", [0.0, 0.25, 0.5, 0.75])
def test_every_request_is_in_exactly_one_second(tmp_path: Path, lead_in_s: float) -> None:
    folder = record_run(tmp_path, phases=[ramp(), steady(seconds=7)], failures=[Failing(0.1)], lead_in_s=lead_in_s)
    run = read_run(folder)
    for record in run.phases:
        samples = dict(samples_of(record, run.journal))
        entry = EndpointSecond.all_of(record.table)
        whole = Histogram.merged([part.response for part in entry])
        assert samples[ALL].requests.sum() == sum(part.requests for part in entry)
        assert samples[ALL].failures.sum() == sum(part.failures for part in entry)
        assert samples[ALL].merged.counts.tolist() == whole.counts.tolist()
        assert samples[ALL].merged.indices.tolist() == whole.indices.tolist()
        assert samples[ALL].max_us == whole.max_us
        assert samples[ALL].lengths_s.sum() == pytest.approx(record.length_s)
        parts = [sample for key, sample in samples.items() if key != ALL]
        assert sum(part.requests.sum() for part in parts) == samples[ALL].requests.sum()


def test_percentiles_are_those_of_the_merged_histogram(tmp_path: Path) -> None:
    run = read_run(record_run(tmp_path, phases=[steady()]))
    sample = dict(samples_of(run.phases[0], run.journal))[ALL]
    for q in (0.001, 0.5, 0.95, 0.99, 1.0):
        bucket = sample.merged.bucket_at(q)
        assert sample.aggregate.quantile(q) == sample.merged.quantile_us(q) / 1000
        assert sample.within(bucket).sum() >= q * sample.timed.sum() - 1e-6


def test_requests_that_end_after_their_phase_count_in_its_last_second(tmp_path: Path) -> None:
    folder = record_run(
        tmp_path,
        phases=[steady(seconds=4), steady(seconds=4, name="after")],
        latency=lambda _, at_s, __: 1500 + 0 * at_s,
        lead_in_s=0,
    )
    run = read_run(folder)
    sample = dict(samples_of(run.phases[0], run.journal))[ALL]
    assert sample.n == 4
    assert sample.requests[0] == 0
    assert sample.requests[-1] > sample.requests[1:-1].max()

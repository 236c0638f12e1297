"""Each span of a profile has the requests and the CPU time of its own part of the phase."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.analysis.profiles import requests_during
from harness.analysis.sampled_spans import sampled_spans
from harness.record.profiles import Profile, Span, SpanStack, Stack
from harness.recording.run import PhaseRecord, read_run
from tests.support.plans import steady
from tests.support.recordings import record_run


@pytest.fixture
def record(tmp_path: Path) -> PhaseRecord:
    (record,) = read_run(record_run(tmp_path, phases=[steady(5, 20)])).phases
    return record


def profile_of(spans: list[Span]) -> Profile:
    return Profile("cpu", 0, "cpu/0-steady.folded", "samples", 20.0, 100.0, spans=spans)


def samples(span: int, pid: int, count: int) -> SpanStack:
    return SpanStack(span, pid, Stack(("main (app.py:1)",), count))


def test_its_requests_are_those_of_its_time(record: PhaseRecord) -> None:
    spans = [Span(0.0, 8.0, 100.0, {1: 1.0}), Span(8.0, 12.0, 100.0, {1: 1.0})]
    first, second = sampled_spans(record, profile_of(spans), [samples(0, 1, 10), samples(1, 1, 10)])
    assert (first.start_s, first.end_s, second.end_s) == pytest.approx(
        (record.start_s, record.start_s + 8, record.start_s + 20)
    )
    whole = requests_during(record, profile_of(spans))
    assert first.requests + second.requests == pytest.approx(whole)
    assert first.requests / whole == pytest.approx(0.4, abs=0.08)


def test_samples_are_worth_what_the_clock_of_their_process_says(record: PhaseRecord) -> None:
    """One that waited for a core was sampled for longer than it ran; one without the GIL ran longer."""
    spans = [Span(0.0, 10.0, 100.0, {1: 2.0, 2: 5.0})]
    (span,) = sampled_spans(record, profile_of(spans), [samples(0, 1, 300), samples(0, 2, 100)])
    assert span.cpu_s == pytest.approx(2.0 + 1.0)

"""The figures of the summary are exact sums of what was recorded."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from harness.analysis.figures import failure_kinds, goal_of, latency_of, phase_summary, totals_of
from harness.plan.model.phase import Phase, Segment
from harness.record.endpoint_second import EndpointSecond
from harness.record.histogram import Histogram
from harness.recording.run import read_run
from tests.support.endpoint_seconds import histogram_of
from tests.support.latencies import Latency, lognormal
from tests.support.plans import diagnose, pause, ramp, steady, stress
from tests.support.recordings import Failing, record_run


def test_phases_and_endpoints_add_up(tmp_path: Path) -> None:
    run = read_run(record_run(tmp_path, failures=[Failing(0.02)], phases=[ramp(), steady(), stress(), diagnose()]))
    phases = [phase_summary(record, run.journal) for record in run.phases]
    totals = totals_of(run.journal)
    assert totals.requests == sum(phase.requests for phase in phases) > 0
    assert totals.failures == sum(phase.failures for phase in phases) > 0
    assert totals.bytes_received == sum(phase.bytes_received for phase in phases)
    for phase in phases:
        assert phase.requests == sum(endpoint.requests for endpoint in phase.endpoints)
        assert phase.error_rate == phase.failures / phase.requests
        assert phase.throughput_rps == phase.requests / (phase.end_s - phase.start_s)
        assert [endpoint.requests for endpoint in phase.endpoints] == sorted(
            (endpoint.requests for endpoint in phase.endpoints), reverse=True
        )
    assert [phase.measured for phase in phases] == [True, True, True, False]


def test_percentiles_are_those_of_the_requests_within_a_thousandth() -> None:
    values = np.random.default_rng(0).lognormal(10, 1, 10_000).astype(np.int64)
    latency = latency_of(histogram_of(values))
    for figure, q in ((latency.p50, 0.5), (latency.p95, 0.95), (latency.p99_9, 0.999)):
        assert figure == pytest.approx(np.quantile(values, q, method="inverted_cdf") / 1000, rel=0.001)
    assert latency.mean == pytest.approx(values.mean() / 1000)
    assert latency.max == values.max() / 1000


def test_successful_requests_have_percentiles_of_their_own(tmp_path: Path) -> None:
    run = read_run(record_run(tmp_path, phases=[steady()], failures=[Failing(0.2)], latency=lognormal(20)))
    summary = phase_summary(run.phases[0], run.journal)
    parts = EndpointSecond.all_of(run.phases[0].table)
    kept = Histogram.merged([part.response.minus(part.failed) for part in parts])
    assert kept.count == summary.requests - summary.failures
    assert summary.ok_response_ms.p95 == pytest.approx(kept.quantile_us(0.95) / 1000, rel=0.001)
    assert summary.service_ms == summary.response_ms


def test_the_open_model_has_two_times(tmp_path: Path) -> None:
    folder = record_run(tmp_path, phases=[steady(rate=50)], start_delay=lambda _, at_s, __: 0 * at_s + 30.0)
    summary = phase_summary(read_run(folder).phases[0], read_run(folder).journal)
    assert summary.response_ms.mean is not None
    assert summary.service_ms.mean is not None
    assert summary.response_ms.mean - summary.service_ms.mean == pytest.approx(30)
    assert summary.model == "open"


def test_users_and_iterations_are_those_of_the_phase(tmp_path: Path) -> None:
    run = read_run(record_run(tmp_path, phases=[ramp(users=40, seconds=10), steady(users=40)], workers=3))
    rising, held = (phase_summary(record, run.journal) for record in run.phases)
    assert (held.users, held.users_max) == (40, 40)
    assert rising.users == pytest.approx(20, abs=3)
    assert rising.iterations + held.iterations <= totals_of(run.journal).iterations


def test_the_steps_of_a_stress_phase_say_which_held(tmp_path: Path) -> None:
    phase = stress(levels=(50, 100, 150, 200), every=4)
    run = read_run(record_run(tmp_path, phases=[phase], held_steps=2))
    summary = phase_summary(run.phases[0], run.journal)
    assert [(step.level, step.held) for step in summary.steps] == [(50, True), (100, True), (150, False)]
    assert summary.held == 100
    assert sum(step.requests for step in summary.steps) == summary.requests
    assert summary.steps[1].throughput_rps > summary.steps[0].throughput_rps


def test_a_stress_phase_without_a_limit_or_without_an_end_holds_nothing_back(tmp_path: Path) -> None:
    first = read_run(record_run(tmp_path, run_id="a", phases=[stress(until=None)], held_steps=None, stop_at_s=7))
    summary = phase_summary(first.phases[0], first.journal)
    assert [step.held for step in summary.steps] == [None, None]
    assert summary.held is None
    none = read_run(record_run(tmp_path, run_id="b", phases=[stress()], held_steps=0))
    summary = phase_summary(none.phases[0], none.journal)
    assert [step.held for step in summary.steps] == [False]
    assert summary.held is None


def hanging_from(at_s: float) -> Latency:
    """Requests started from then on hang for a minute."""
    return lambda _, starts, __: np.where(starts < at_s, 20.0, 60_000.0)


def test_requests_that_hung_until_after_the_step_was_judged_count(tmp_path: Path) -> None:
    """During the run, all four steps seemed to hold, because hanging requests had not ended yet."""
    phase = stress(levels=(50, 100, 150, 200), every=4)
    run = read_run(record_run(tmp_path, phases=[phase], lead_in_s=0, latency=hanging_from(8)))
    assert run.phases[0].span.held_segment == 3
    summary = phase_summary(run.phases[0], run.journal)
    assert [step.held for step in summary.steps] == [True, True, False, False]
    assert summary.held == 100


def test_a_target_that_hangs_throughout_held_nothing(tmp_path: Path) -> None:
    run = read_run(record_run(tmp_path, phases=[stress()], lead_in_s=0, latency=hanging_from(0)))
    assert phase_summary(run.phases[0], run.journal).held is None


def test_an_unfinished_step_or_one_with_too_few_requests_is_not_judged(tmp_path: Path) -> None:
    cut = read_run(record_run(tmp_path, run_id="a", phases=[stress(every=4)], lead_in_s=0, stop_at_s=6))
    summary = phase_summary(cut.phases[0], cut.journal)
    assert ([step.held for step in summary.steps], summary.held) == ([True, None], 50)
    few = read_run(record_run(tmp_path, run_id="b", phases=[stress(levels=(1, 50), every=4)], lead_in_s=0))
    summary = phase_summary(few.phases[0], few.journal)
    assert ([step.held for step in summary.steps], summary.held) == ([None, True], 50)


def test_a_phase_that_was_cut_short_says_so(tmp_path: Path) -> None:
    run = read_run(record_run(tmp_path, phases=[steady(seconds=20)], stop_at_s=8.25))
    assert phase_summary(run.phases[0], run.journal).cut_short == "it ran 8.0 s of 20 s"


def test_a_pause_has_no_figures(tmp_path: Path) -> None:
    run = read_run(record_run(tmp_path, phases=[steady(seconds=3), pause()]))
    idle = phase_summary(run.phases[1], run.journal)
    assert (idle.requests, idle.error_rate, idle.throughput_rps, idle.response_ms.p50) == (0, None, 0, None)


def shape(**changes: object) -> Phase:
    return steady().model_copy(update={"kind": "shape", "segments": (), **changes})


@pytest.mark.parametrize(
    ("phase", "result"),
    [
        (steady(users=50), "50 users"),
        (ramp(users=1), "0 → 1 user"),
        (ramp(rate=2000), "0 → 2,000 arrivals/s"),
        (stress(levels=(50, 100, 400)), "50 → 400 users"),
        (pause(), "no load"),
        (shape(), "set by the scenario's load shape"),
        (
            steady().model_copy(
                update={
                    "segments": (
                        Segment(start=10, end=200, duration_s=1),
                        Segment(start=200, end=10, duration_s=1),
                    )
                }
            ),
            "10 → 200 → 10 users",
        ),
    ],
)
def test_goals_as_a_person_reads_them(phase: Phase, result: str) -> None:
    assert goal_of(phase) == result


def test_failures_are_counted_by_kind_with_a_few_in_full(tmp_path: Path) -> None:
    run = read_run(
        record_run(
            tmp_path,
            phases=[steady()],
            failures=[Failing(0.05, "HTTP 503"), Failing(0.2, "wrong total", "POST /checkout")],
        )
    )
    kinds = failure_kinds(run.journal)
    assert [kind.count for kind in kinds] == sorted((kind.count for kind in kinds), reverse=True)
    assert sum(kind.count for kind in kinds) == totals_of(run.journal).failures
    wrong = next(kind for kind in kinds if kind.failure == "wrong total")
    assert (wrong.method, wrong.name) == ("POST", "/checkout")
    assert 0 <= wrong.first_s <= wrong.last_s <= 21
    assert all("url" in sample for kind in kinds for sample in kind.samples)

"""Seconds that faults disturbed are known, and left out of all that does not name them."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.analysis.contamination import contamination_of
from harness.analysis.fault_figures import fault_reports
from harness.analysis.faults import disturbed_in, under_fault
from harness.analysis.measurement import endpoints_of, measure
from harness.analysis.profiles import phase_profile
from harness.plan.model.phase import Phase
from harness.plan.model.run import Gate
from harness.record.measurement import ALL
from harness.recording import RunRecording, open_recording
from tests.support.broken_runs import Broken, slow_between, write_faults
from tests.support.latencies import Latency
from tests.support.plans import gate, pause, steady
from tests.support.recordings import CPU_STACKS, Failing, Profiles, record_run


def recorded(
    folder: Path,
    *faults: Broken,
    latency: Latency | None = None,
    failures: list[Failing] | None = None,
    phases: list[Phase] | None = None,
    gates: list[Gate | str] | None = None,
    profiles: Profiles | None = None,
) -> RunRecording:
    found = record_run(
        folder,
        phases=phases or [steady(rate=200, seconds=40)],
        lead_in_s=0.0,
        latency=latency or slow_between(),
        failures=failures or [],
        gates=gates or [],
        profiles=profiles,
    )
    run = open_recording(write_faults(found, *faults))
    assert isinstance(run, RunRecording)
    return run


def disturbed(run: RunRecording, phase: int = 0) -> list[int]:
    record = run.phases[phase]
    return [round(record.start_s) + at for at, is_so in enumerate(disturbed_in(record, run)) if is_so]


def test_the_seconds_of_a_fault_and_of_the_recovery_are_disturbed(tmp_path: Path) -> None:
    run = recorded(tmp_path, Broken("db slow", 10.3, 15.2), latency=slow_between((10.3, 18.0)))
    # What began before 18 ended in it, and from 19 on all is well; when in second 19 is not known.
    assert disturbed(run) == [*range(10, 20)]
    (report,) = fault_reports(run)
    assert report.recovered
    assert report.recovery_s == pytest.approx(19 - 15.2)
    assert report.recovery_interval_s is not None
    assert report.recovery_interval_s[1] == pytest.approx(19 - 15.2)


def test_a_run_without_faults_has_no_disturbed_second(tmp_path: Path) -> None:
    run = recorded(tmp_path, latency=slow_between((10, 18)))
    assert disturbed(run) == []
    assert contamination_of(run.phases[0], run).left_out == frozenset()


@pytest.mark.parametrize(
    ("gates", "last"),
    [
        ([], 24),
        ([gate('recovery_time < 18s after "db slow"', "steady")], 32),
        ([gate('recovery_time < 3s after "db slow"', "steady")], 24),
    ],
)
def test_a_target_that_does_not_recover_is_excused_for_as_long_as_allowed(
    tmp_path: Path, gates: list[Gate | str], last: int
) -> None:
    run = recorded(tmp_path, Broken("db slow", 10.0, 15.0), latency=slow_between((10, 40)), gates=gates)
    assert disturbed(run) == [*range(10, last + 1)]


def test_a_fault_that_was_never_undone_disturbs_all_that_follows(tmp_path: Path) -> None:
    phases = [steady(rate=100, seconds=20), pause(2), steady(rate=100, seconds=5, name="later")]
    run = recorded(tmp_path, Broken("db slow", 10.0, None), phases=phases)
    assert disturbed(run) == [*range(10, 20)]
    assert disturbed(run, 2) == [*range(22, 27)]
    assert fault_reports(run)[0].recovered is None


def test_what_a_fault_held_up_is_under_it_though_it_ended_later(tmp_path: Path) -> None:
    run = recorded(tmp_path, Broken("black hole", 10.0, 12.0), latency=slow_between((10, 12), slow_ms=5000))
    record = run.phases[0]
    under = under_fault(record, run, "black hole")
    assert [at for at, is_so in enumerate(under) if is_so] == [10, 11, 15, 16]
    assert not under_fault(record, run, "another").any()


def test_figures_leave_disturbed_seconds_out(tmp_path: Path) -> None:
    failing = [Failing(0.5, from_s=10, to_s=15)]
    run = recorded(tmp_path, Broken("db slow", 10.0, 15.0), latency=slow_between((10, 15)), failures=failing)
    record, found = run.phases[0], contamination_of(run.phases[0], run)
    whole, calm = (endpoints_of(record, run, left_out)[ALL] for left_out in (frozenset[int](), found.left_out))
    assert whole.figures["p95"].value == pytest.approx(800, rel=0.02)
    assert calm.figures["max"].value < 40
    assert whole.figures["error_rate"].value > 5
    assert calm.figures["error_rate"].value == 0
    assert calm.figures["throughput"].value == pytest.approx(200, rel=0.05)
    assert measure(run).figure("steady", ALL, "p95") == calm.figures["p95"]


def test_the_report_of_a_fault_has_what_happened_under_it(tmp_path: Path) -> None:
    failing = [Failing(0.5, from_s=10, to_s=15)]
    run = recorded(tmp_path, Broken("db slow", 10.0, 15.0), latency=slow_between((10, 15)), failures=failing)
    (report,) = fault_reports(run)
    assert (report.name, report.kind, report.phase) == ("db slow", "network", "steady")
    assert (report.start_s, report.end_s) == pytest.approx((10, 15), abs=1e-5)
    assert report.p95_ms == pytest.approx(800, rel=0.02)
    # The last of the 1,000 that began under it ended in second 15, together with 200 that began in that second.
    assert report.requests == pytest.approx(1200, rel=0.05)
    assert report.error_rate == pytest.approx(500 / 1200, abs=0.05)


def test_a_phase_with_too_few_calm_seconds_is_not_compared(tmp_path: Path) -> None:
    run = recorded(tmp_path, Broken("db slow", 2.0, 38.0), latency=slow_between((2, 38)))
    assert not contamination_of(run.phases[0], run).faults_leave_enough
    assert measure(run).phases == []


def test_another_fault_ends_the_watch_for_the_recovery(tmp_path: Path) -> None:
    faults = [Broken("first", 10.0, 12.0), Broken("second", 14.0, 16.0)]
    run = recorded(tmp_path, *faults, latency=slow_between((10, 20)))
    first, second = fault_reports(run)
    assert not first.recovered
    assert first.recovery_s is not None
    assert first.recovery_s <= 2
    assert second.recovered
    assert second.recovery_s == pytest.approx(5)
    assert disturbed(run) == [*range(10, 22)]


def test_a_target_that_was_broken_from_the_start_has_no_reference(tmp_path: Path) -> None:
    run = recorded(tmp_path, Broken("db slow", 2.0, 6.0), latency=slow_between((2, 6)))
    (report,) = fault_reports(run)
    assert (report.recovered, report.recovery_s) == (None, None)
    assert disturbed(run) == [*range(2, 7)]


def test_samples_of_disturbed_spans_are_left_out(tmp_path: Path) -> None:
    profiles = Profiles({"steady": CPU_STACKS})
    whole = recorded(tmp_path / "whole", profiles=profiles)
    run = recorded(
        tmp_path / "broken", Broken("db slow", 10.0, 15.0), latency=slow_between((10, 15)), profiles=profiles
    )
    before, now = (phase_profile(each, each.phases[0], "cpu") for each in (whole, run))
    assert before is not None
    assert now is not None
    # Ten spans of 4 s, of which three hold the seconds 10 to 16.
    assert (before.spans, now.spans) == (10, 7)
    assert now.samples == pytest.approx(0.7 * before.samples, rel=0.05)
    assert now.requests == pytest.approx(0.7 * before.requests, rel=0.05)
    assert now.clock_ms == pytest.approx(before.clock_ms or 0, rel=0.1)

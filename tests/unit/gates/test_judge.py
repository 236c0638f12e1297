"""The verdict on whole run folders: each way a run can go, and what is said of it."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from harness.analysis.measurement import measure
from harness.errors import HarnessError
from harness.gates.judge import judge
from harness.plan.model import Gate
from harness.record.environment import Environment
from harness.record.measurement import Baseline
from harness.record.run_folder import RunFolder, read_json, write_json, write_text
from harness.record.summary import GateResult, Summary
from harness.recording import open_recording
from tests.support.recordings import (
    CPU_STACKS,
    Failing,
    Profiles,
    WorkerState,
    bursty,
    gate,
    lognormal,
    make_environment,
    pause,
    ramp,
    record_run,
    steady,
    stress,
)

PHASES = [ramp(seconds=5), steady(seconds=20)]


def baseline_of(*folders: RunFolder, into: RunFolder, fingerprint: str | None = None) -> None:
    """Judge ``folders`` and keep them as what ``into`` is compared with."""
    runs = []
    for folder in folders:
        write_text(folder.summary, judge(folder).to_json())
        runs.append(measure(open_recording(folder)))
    found = fingerprint or Environment.model_validate(read_json(into.environment)).fingerprint
    kept = Baseline(scenario="flash_sale", profile="default", fingerprint=found, runs=runs)
    write_json(into.comparison, kept.model_dump(by_alias=True))


def only(summary: Summary) -> GateResult:
    assert len(summary.gates) == 1
    return summary.gates[0]


# ------------------------------------------------------------------------------------------ absolute gates


def test_all_gates_held(tmp_path: Path) -> None:
    folder = record_run(
        tmp_path,
        phases=PHASES,
        gates=["p95 < 500ms", "max < 30000ms", gate("throughput > 100/s", "steady"), "mean < 100ms"],
    )
    summary = judge(folder)
    assert (summary.verdict, summary.exit_code) == ("pass", 0)
    assert summary.reasons == ["all 7 gates held"]
    first = summary.gates[0]
    assert first.interval is not None
    assert first.observed is not None
    assert first.interval[1] is not None
    assert first.interval[0] <= first.observed <= first.interval[1] < 500
    assert (first.limit, first.unit, first.phase) == (500, "ms", "ramp")
    assert [entry.phase for entry in summary.gates[:2]] == ["ramp", "steady"]


def test_a_failed_gate_says_what_was_seen_its_interval_and_the_limit(tmp_path: Path) -> None:
    folder = record_run(tmp_path, phases=PHASES, gates=[gate("p95 < 20ms", "steady", "POST /checkout")])
    summary = judge(folder)
    assert (summary.verdict, summary.exit_code) == ("fail", 1)
    assert only(summary).status == "fail"
    reason = summary.reasons[0]
    assert reason.startswith("gate `p95 < 20ms` on POST /checkout in steady failed: p95 was ")
    assert "over the limit of 20 ms" in reason
    assert "…" in reason


def test_a_throughput_that_is_too_low_is_under_its_limit(tmp_path: Path) -> None:
    folder = record_run(tmp_path, phases=PHASES, gates=[gate("throughput >= 500/s", "steady")])
    assert "under the limit of 500/s" in only(judge(folder)).reason


def test_a_figure_too_close_to_its_limit_is_inconclusive(tmp_path: Path) -> None:
    probe = judge(record_run(tmp_path, run_id="probe", phases=PHASES))
    p95 = probe.phases[1].response_ms.p95
    folder = record_run(tmp_path, phases=PHASES, gates=[gate(f"p95 < {p95:.0f}ms", "steady")])
    summary = judge(folder)
    assert (summary.verdict, summary.exit_code) == ("inconclusive", 3)
    assert "too close to the limit" in only(summary).reason
    assert "run longer" in only(summary).reason


def test_too_few_requests_for_a_percentile_say_how_many_it_takes(tmp_path: Path) -> None:
    folder = record_run(tmp_path, phases=[steady(users=2, seconds=20)], gates=["p99 < 500ms"])
    result = only(judge(folder))
    assert result.status == "inconclusive"
    assert result.interval is not None
    assert result.interval[1] is None
    assert "requests are too few to hold against the limit of 500 ms (in 20 s it takes 573)" in result.reason


def test_too_few_requests_without_a_failure_say_how_many_it_takes(tmp_path: Path) -> None:
    result = only(judge(record_run(tmp_path, phases=[steady(users=1, seconds=10)], gates=["error_rate < 1%"])))
    assert result.status == "inconclusive"
    assert result.reason.startswith("error_rate was 0 % [0…")
    assert "(in 10 s it takes " in result.reason


def test_no_failure_allowed_is_a_rule_for_the_run(tmp_path: Path) -> None:
    clean = record_run(tmp_path, run_id="clean", phases=PHASES, gates=[gate("error_rate <= 0%", "steady")])
    assert judge(clean).verdict == "pass"
    spoilt = record_run(
        tmp_path, phases=PHASES, gates=[gate("error_rate <= 0%", "steady")], failures=[Failing(0.003, phase="steady")]
    )
    assert judge(spoilt).verdict == "fail"


def test_an_error_rate_over_its_limit_fails(tmp_path: Path) -> None:
    folder = record_run(tmp_path, phases=PHASES, gates=["error_rate < 1%"], failures=[Failing(0.08)])
    summary = judge(folder)
    assert summary.verdict == "fail"
    assert [result.unit for result in summary.gates] == ["%", "%"]
    assert summary.gates[1].observed == pytest.approx(8, abs=2)


def test_a_gate_on_what_was_not_there_names_what_was(tmp_path: Path) -> None:
    folder = record_run(
        tmp_path,
        phases=[*PHASES, pause()],
        gates=[
            gate("p95 < 500ms", "stedy"),
            gate("p95 < 500ms", "steady", "POST /chekout"),
            gate("p95 < 500ms", "pause"),
        ],
    )
    summary = judge(folder)
    assert summary.exit_code == 3
    unknown, misspelt, idle = (result.reason for result in summary.gates)
    assert "did you mean 'steady'?" in unknown
    assert "did you mean 'POST /checkout'?" in misspelt
    assert "GET /products/{id}" in misspelt
    assert idle == "no request was sent in phase 'pause'"


def test_a_run_without_gates_passes_and_says_so(tmp_path: Path) -> None:
    summary = judge(record_run(tmp_path, phases=PHASES))
    assert (summary.verdict, summary.reasons) == ("pass", ["there are no gates: nothing was required of this run"])


def test_other_gates_can_be_asked_of_the_same_folder(tmp_path: Path) -> None:
    folder = record_run(tmp_path, phases=PHASES, gates=["p95 < 500ms"])
    other: list[Gate] = [gate("p50 < 1ms", "steady")]
    assert judge(folder, gates=other).verdict == "fail"
    assert judge(folder, gates=[]).gates == []
    assert judge(folder).verdict == "pass"


def test_a_folder_judged_elsewhere_gives_the_same_result(tmp_path: Path) -> None:
    folder = record_run(tmp_path / "here", phases=PHASES, gates=["p95 < 500ms"], failures=[Failing(0.01)])
    shutil.copytree(folder.path, tmp_path / "there" / folder.run_id)
    assert judge(RunFolder(tmp_path / "there" / folder.run_id)).to_json() == judge(folder).to_json()


def test_the_summary_survives_its_file(tmp_path: Path) -> None:
    folder = record_run(tmp_path, phases=PHASES, gates=["p99.9 < 500ms"], failures=[Failing(0.01)])
    summary = judge(folder)
    write_text(folder.summary, summary.to_json())
    again = Summary.model_validate(read_json(folder.summary))
    assert again.to_json() == summary.to_json()
    assert '"p99.9"' in summary.to_json()


# ------------------------------------------------------------------------------------------ relative gates


def test_without_a_baseline_a_relative_gate_says_how_to_set_one(tmp_path: Path) -> None:
    folder = record_run(tmp_path, phases=PHASES, gates=[gate("p95 <= baseline + 10%", "steady")])
    summary = judge(folder)
    assert (summary.verdict, summary.exit_code) == ("inconclusive", 3)
    assert only(summary).reason.startswith("no baseline: ")
    assert f"harness baseline set {folder.path}" in only(summary).reason


@pytest.mark.parametrize(("slower", "status"), [(0.8, "pass"), (1.4, "fail")])
def test_a_run_is_held_against_its_baseline(tmp_path: Path, slower: float, status: str) -> None:
    before = record_run(tmp_path, run_id="before", phases=PHASES, latency=lognormal(20), seed=1)
    folder = record_run(
        tmp_path,
        phases=PHASES,
        latency=lognormal(20 * slower),
        seed=2,
        gates=[gate("p95 <= baseline + 10%", "steady")],
    )
    baseline_of(before, into=folder)
    summary = judge(folder)
    result = only(summary)
    assert result.status == status
    assert result.baseline is not None
    assert result.limit == pytest.approx(result.baseline * 1.1)
    assert "(baseline " in result.reason
    assert summary.baseline is not None
    assert summary.baseline.run_ids == ["before"]


def test_a_difference_within_the_noise_is_inconclusive(tmp_path: Path) -> None:
    before = record_run(tmp_path, run_id="before", phases=PHASES, latency=bursty(20, seed=1), seed=1)
    folder = record_run(
        tmp_path, phases=PHASES, latency=bursty(21.5, seed=2), seed=2, gates=[gate("p95 <= baseline + 10%", "steady")]
    )
    baseline_of(before, into=folder)
    assert "to tell from noise" in only(judge(folder)).reason


def test_no_failure_never_breaks_a_gate_against_a_baseline(tmp_path: Path) -> None:
    before = record_run(tmp_path, run_id="before", phases=PHASES)
    folder = record_run(tmp_path, phases=PHASES, gates=[gate("error_rate <= baseline + 10%", "steady")])
    baseline_of(before, into=folder)
    assert only(judge(folder)).status == "pass"


def test_a_baseline_of_another_machine_is_not_compared_with(tmp_path: Path) -> None:
    before = record_run(tmp_path, run_id="before", phases=PHASES, environment=make_environment("aaaa"))
    folder = record_run(tmp_path, phases=PHASES, gates=[gate("p95 <= baseline + 10%", "steady")])
    baseline_of(before, into=folder, fingerprint="aaaa")
    assert "another machine" in only(judge(folder)).reason


def test_a_baseline_that_knows_nothing_of_the_endpoint(tmp_path: Path) -> None:
    before = record_run(tmp_path, run_id="before", phases=PHASES, endpoints={"GET /": 1})
    folder = record_run(tmp_path, phases=PHASES, gates=[gate("p95 <= baseline", "steady", "POST /cart")])
    baseline_of(before, into=folder)
    assert "knows nothing of phase 'steady' and endpoint 'POST /cart'" in only(judge(folder)).reason


def test_a_baseline_whose_generator_was_the_limit_is_not_compared_with(tmp_path: Path) -> None:
    before = record_run(tmp_path, run_id="before", phases=PHASES, worker=lambda _: WorkerState(cpu=0.99))
    folder = record_run(tmp_path, phases=PHASES, gates=[gate("p95 <= baseline + 10%", "steady")])
    baseline_of(before, into=folder)
    assert "in the baseline the load generator was the limit" in only(judge(folder)).reason


def test_a_baseline_of_another_load_is_not_compared_with(tmp_path: Path) -> None:
    before = record_run(tmp_path, run_id="before", phases=[steady(users=10, seconds=20)])
    like = record_run(tmp_path, run_id="like", phases=[steady(users=30, seconds=20)])
    folder = record_run(tmp_path, phases=[steady(users=30, seconds=20)], gates=["p95 <= baseline + 50%"])
    baseline_of(before, into=folder)
    result = only(judge(folder))
    assert result.status == "inconclusive"
    assert result.reason == ("the baseline was made under another load (10 users; here 30 users): set one of this plan")
    baseline_of(before, like, into=folder)
    assert only(judge(folder)).status == "pass"


# ------------------------------------------------------------------------------------------ failures


UNREAD = (
    "100 % of the requests of phase 'steady' failed, and no gate reads error_rate there: "
    'gate("error_rate < 1%", phase="steady") would'
)


@pytest.mark.parametrize(
    ("gates", "share", "warned"),
    [
        ([], 1.0, True),
        ([gate("p95 < 500ms", "steady"), gate("error_rate < 1%", "ramp")], 1.0, True),
        ([gate("error_rate < 1%")], 1.0, False),
        ([gate("error_rate < 1%", "steady", "GET /products")], 1.0, False),
        ([], 0.004, False),
    ],
)
def test_failures_that_no_gate_reads_are_warned_of(
    tmp_path: Path, gates: list[Gate], share: float, warned: bool
) -> None:
    folder = record_run(tmp_path, phases=PHASES, gates=gates, failures=[Failing(share, phase="steady")])
    assert (UNREAD in judge(folder).warnings) is warned
    assert any("no gate reads error_rate" in warning for warning in judge(folder).warnings) is warned


def test_a_stress_phase_may_read_its_failures_itself(tmp_path: Path) -> None:
    unread = judge(record_run(tmp_path, run_id="a", phases=[stress()], failures=[Failing(0.2)]))
    assert any("of phase 'stress' failed" in warning for warning in unread.warnings)
    until = stress(until="error_rate > 50%")
    assert judge(record_run(tmp_path, run_id="b", phases=[until], failures=[Failing(0.2)])).warnings == []


# ------------------------------------------------------------------------------------------ how a run ends


def test_a_killed_run_is_broken_and_keeps_its_figures(tmp_path: Path) -> None:
    folder = record_run(tmp_path, phases=[*PHASES, stress()], gates=["p95 < 20ms"], stop_at_s=12.4, end_reason=None)
    summary = judge(folder)
    assert (summary.verdict, summary.exit_code) == ("broken", 4)
    assert summary.reasons[0].startswith("the run was killed after 12 s")
    assert summary.phases[1].requests > 0
    assert summary.phases[1].cut_short == "it ran 6.8 s of 20 s"
    assert [result.status for result in summary.gates] == ["fail", "fail", "inconclusive"]
    assert summary.gates[2].reason == "nothing was seen of phase 'stress': it never began"


def test_an_interrupted_run_is_inconclusive_with_its_own_exit_code(tmp_path: Path) -> None:
    folder = record_run(tmp_path, phases=PHASES, gates=["p95 < 500ms"], stop_at_s=12, end_reason="interrupted")
    summary = judge(folder)
    assert (summary.verdict, summary.exit_code) == ("inconclusive", 130)
    assert "interrupted after" in summary.reasons[0]
    assert summary.gates[0].status == "pass"
    assert summary.gates[1].status == "inconclusive"
    assert "the phase was cut short (it ran 6.8 s of 20 s); until then p95 was" in summary.gates[1].reason


@pytest.mark.parametrize(
    ("end", "said"),
    [("target lost", "target.log"), ("workers lost", "load workers were lost"), ("error", "harness.log")],
)
def test_a_run_that_lost_something_is_broken(tmp_path: Path, end: str, said: str) -> None:
    folder = record_run(tmp_path, phases=PHASES, gates=["p95 < 500ms"], stop_at_s=12, end_reason=end)  # type: ignore[arg-type]  # parametrized literals
    summary = judge(folder)
    assert (summary.verdict, summary.exit_code) == ("broken", 4)
    assert said in summary.reasons[0]


def test_a_lost_worker_breaks_the_run_even_if_it_went_on(tmp_path: Path) -> None:
    folder = record_run(tmp_path, phases=PHASES, events=[(9.0, "worker lost", "load worker a is gone; 1 left")])
    summary = judge(folder)
    assert summary.exit_code == 4
    assert summary.reasons == ["load worker a is gone; 1 left"]


def test_a_run_that_sent_nothing_is_broken(tmp_path: Path) -> None:
    summary = judge(record_run(tmp_path, phases=PHASES, requests_per_user_s=0))
    assert summary.exit_code == 4
    assert summary.reasons == ["not a single request was recorded"]
    assert summary.phases[1].error_rate is None
    assert summary.phases[1].response_ms.p95 is None


def test_a_run_whose_every_request_was_refused_is_broken_and_says_what_to_add(tmp_path: Path) -> None:
    refused = 'host not allowed: 10.1.2.3 (to load it, add "10.1.2.3" to allowed_hosts)'
    summary = judge(record_run(tmp_path / "all", phases=PHASES, failures=[Failing(1.0, refused)]))
    assert (summary.exit_code, summary.reasons) == (4, [f"not a single request was let through: {refused}"])
    summary = judge(record_run(tmp_path / "most", phases=PHASES, failures=[Failing(0.9, refused)]))
    assert summary.exit_code == 0


def test_a_gate_that_ended_the_run_has_failed(tmp_path: Path) -> None:
    folder = record_run(
        tmp_path,
        phases=[steady(seconds=20)],
        latency=bursty(300, sigma=0.8, spread=0.4),
        gates=["p95 < 500ms"],
        stop_at_s=10,
        end_reason="gate failed",
        stop_early=True,
    )
    summary = judge(folder)
    assert (summary.verdict, summary.exit_code) == ("fail", 1)


# ------------------------------------------------------------------------------------------ the generator


def test_a_phase_limited_by_the_generator_decides_nothing(tmp_path: Path) -> None:
    folder = record_run(
        tmp_path,
        phases=[*PHASES, stress()],
        gates=[gate("p95 < 500ms", "steady"), gate("p95 < 1ms", "stress")],
        worker=lambda second: WorkerState(cpu=0.98 if second > 25 else 0.6),
        held_steps=1,
    )
    summary = judge(folder)
    assert [result.status for result in summary.gates] == ["pass", "inconclusive"]
    assert summary.exit_code == 3
    assert summary.generator.saturated
    assert "--workers 2" in summary.gates[1].reason
    assert any("not the target's capacity" in warning for warning in summary.warnings)


def test_a_run_limited_by_the_generator_throughout_is_void(tmp_path: Path) -> None:
    folder = record_run(tmp_path, phases=PHASES, gates=["p95 < 1ms"], worker=lambda _: WorkerState(cpu=0.98))
    summary = judge(folder)
    assert (summary.verdict, summary.exit_code) == ("broken", 4)
    assert "the load generator was the limit wherever the run was measured" in summary.reasons[0]


# ------------------------------------------------------------------------------------------ invariants


@pytest.mark.parametrize(
    ("verify", "status", "exit_code", "said"),
    [
        ({"status": "pass", "message": "", "duration_s": 0.1}, "pass", 0, "invariants hold"),
        ({"status": "fail", "message": "3 sold too many", "duration_s": 0.1}, "fail", 1, "3 sold too many"),
        ({"status": "error", "message": "KeyError: 'left'", "duration_s": 0.1}, "inconclusive", 3, "itself broke"),
        (None, "inconclusive", 3, "did not run"),
        ({"status": "interrupted", "message": ""}, "inconclusive", 130, "was interrupted"),
    ],
)
def test_invariants_are_a_gate(
    tmp_path: Path, verify: dict[str, object] | None, status: str, exit_code: int, said: str
) -> None:
    summary = judge(record_run(tmp_path, phases=PHASES, verify=verify, has_verify=True))
    assert only(summary).require == "verify"
    assert (only(summary).status, summary.exit_code) == (status, exit_code)
    assert said in only(summary).reason


@pytest.mark.parametrize("verify", [{"status": "maybe"}, {}])
def test_a_damaged_verification_is_named(tmp_path: Path, verify: dict[str, object]) -> None:
    with pytest.raises(HarnessError, match=r"verify\.json: status"):
        judge(record_run(tmp_path, phases=PHASES, verify=verify))


# ------------------------------------------------------------------------------------------ what else is told


def test_warnings_tell_what_could_not_be_sampled(tmp_path: Path) -> None:
    folder = record_run(
        tmp_path,
        phases=PHASES,
        profiles=Profiles(cpu={"steady": CPU_STACKS}, notes=["memray is not installed in the target"]),
        environment=make_environment(notes=["the processor's frequency is scaled"]),
        events=[(3.0, "dropped", "17 arrivals still waited for a user at the end; none was started", 17)],
    )
    (folder.cpu / "1-steady.folded").unlink()
    summary = judge(folder)
    assert summary.verdict == "pass"
    assert summary.generator.dropped == 17
    text = "\n".join(summary.warnings)
    for part in ("17 arrivals", "memray is not installed", "frequency is scaled", "cpu/1-steady.folded is missing"):
        assert part in text


def test_a_damaged_folder_is_named(tmp_path: Path) -> None:
    folder = record_run(tmp_path, phases=PHASES)
    plan = read_json(folder.plan)
    write_json(folder.plan, {**plan, "workers": "many"})
    with pytest.raises(HarnessError, match=r"plan\.json: workers"):
        judge(folder)
    write_json(folder.plan, {**plan, "phases": plan["phases"][:1]})
    with pytest.raises(HarnessError, match="the plan has 1 phases"):
        judge(folder)

"""The verdict on whole run folders: each way a run can go, and its reasons."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from harness.engine.request_failures import HostNotAllowed
from harness.errors import HarnessError
from harness.explain import explained
from harness.messages import message
from harness.plan.model.run import Gate
from harness.plan.model.target import AttachedTarget, PlannedTarget
from harness.record.gate_result import GateResult
from harness.record.run_folder import RunFolder, read_json, write_json, write_text
from harness.record.spans import Received, SpanWriter
from harness.record.summary import Summary
from harness.recording import open_recording
from harness.report.exporters.markdown import summary_markdown
from tests.support.errors import harness_error
from tests.support.judged import baseline_of, judge
from tests.support.latencies import bursty, lognormal
from tests.support.plans import gate, pause, ramp, steady, stress
from tests.support.recordings import CPU_STACKS, SHOP, Failing, Profiles, WorkerState, make_environment, record_run

PHASES = [ramp(seconds=5), steady(seconds=20)]


def only(summary: Summary) -> GateResult:
    assert len(summary.gates) == 1
    return summary.gates[0]


# ------------------------------------------------------------------------------------------ the target's processes


def run_using(parent: Path, percent: float) -> RunFolder:
    """200 requests per second from a target that uses this much of a core."""
    gates = ["cpu_per_request <= baseline + 10%", "cpu_per_request < 4ms"]
    return record_run(
        parent,
        phases=[steady(rate=200, seconds=30)],
        gates=gates,
        sampled=lambda _: {"target": {"cpu_percent": percent}},
    )


def test_a_gate_on_the_growth_of_memory_says_how_long_a_phase_it_needs(tmp_path: Path) -> None:
    result = only(judge(record_run(tmp_path, phases=[steady(seconds=10)], gates=["rss_growth < 1MB/min"])))
    assert (result.status, result.code) == ("inconclusive", "gate-phase-too-short")
    assert (result.params["needed"], result.limit) == (30, 1e6)


@pytest.mark.parametrize(("percent", "status"), [(50, "pass"), (70, "fail")])
def test_a_gate_on_cpu_time_compares_with_the_baseline(tmp_path: Path, percent: float, status: str) -> None:
    before, folder = run_using(tmp_path / "before", 50), run_using(tmp_path, percent)
    assert [gate.code for gate in judge(folder).gates] == ["baseline-missing", "gate-within-limit"]
    baseline_of(before, into=folder)
    relative, absolute = judge(folder).gates
    assert (relative.status, relative.unit, absolute.status) == (status, "ms", "pass")
    assert relative.baseline == pytest.approx(2.5, rel=0.02)
    assert absolute.observed == pytest.approx(percent / 20, rel=0.02)


@pytest.mark.parametrize(
    ("target", "code"),
    [
        (AttachedTarget(url="http://127.0.0.1:8000"), "gate-target-pid-unknown"),
        (AttachedTarget(url="http://shop.test", allowed=True), "gate-target-elsewhere"),
        (AttachedTarget(url="http://127.0.0.1:8000", pid=7), "gate-target-not-sampled"),
    ],
)
def test_a_target_that_was_not_sampled_has_no_cpu_time(tmp_path: Path, target: PlannedTarget, code: str) -> None:
    folder = record_run(tmp_path, phases=[steady(seconds=10)], gates=["cpu_per_request < 40ms"], target=target)
    folder.resources.unlink()
    result = only(judge(folder))
    assert (result.status, result.code) == ("inconclusive", code)


# ------------------------------------------------------------------------------------------ contaminated seconds


def contaminated_run(parent: Path, seconds: float, *gates: str, failing: float = 0.0) -> RunFolder:
    """30 s, of which others take the cores in the first so many: requests take 300 ms in place of 20, and more CPU."""
    taken = {
        "target": {"cpu_percent": 90.0, "waiting_percent": 60.0},
        "machine": {"others_percent": 180.0, "cores": 2.0},
    }
    quiet = {"target": {"cpu_percent": 50.0, "waiting_percent": 1.0}, "machine": {"others_percent": 2.0, "cores": 2.0}}
    return record_run(
        parent,
        phases=[steady(rate=100, seconds=30)],
        gates=gates,
        lead_in_s=0.0,
        latency=lambda _, at_s, __: np.where(at_s < seconds, 300.0, 20.0),
        sampled=lambda at_s: taken if at_s < seconds else quiet,
        failures=[Failing(failing)],
    )


GATES = ("p95 <= baseline + 20%", "cpu_per_request <= baseline + 10%", "p95 < 100ms", "p95 < 1s")


def test_gates_leave_contaminated_seconds_out(tmp_path: Path) -> None:
    folder = contaminated_run(tmp_path, 8, *GATES)
    baseline_of(contaminated_run(tmp_path / "before", 0), into=folder)
    summary = judge(folder)
    assert [(gate.status, gate.seconds_left_out) for gate in summary.gates] == [("pass", 8)] * 4
    assert "8 s of steady" in summary_markdown(summary)
    (phase,) = summary.phases
    assert phase.response_ms.p95 == pytest.approx(300, rel=0.02)
    found = phase.contamination
    assert found is not None
    assert (found.seconds, found.left_out) == (list(range(8)), True)
    assert found.share == pytest.approx(8 / 30)
    assert found.others_cores == pytest.approx(1.8, rel=0.01)
    assert phase.intervals["p95"].value == pytest.approx(300, rel=0.02)
    assert found.clean["p95"].value == pytest.approx(20, rel=0.02)
    assert "phase-contaminated" in [notice.code for notice in summary.notices]


def test_no_gate_fails_where_too_few_seconds_are_clean(tmp_path: Path) -> None:
    folder = contaminated_run(tmp_path, 20, *GATES)
    baseline_of(contaminated_run(tmp_path / "before", 0), into=folder)
    summary = judge(folder)
    assert [(gate.status, gate.code) for gate in summary.gates] == [
        ("inconclusive", "gate-contaminated"),
        ("inconclusive", "gate-contaminated"),
        ("inconclusive", "gate-contaminated"),
        ("pass", "gate-within-limit"),  # others only add time, so it is within the limit without them, too
    ]
    assert (summary.verdict, summary.exit_code) == ("inconclusive", 3)
    assert {gate.seconds_left_out for gate in summary.gates} == {0}
    assert "phase-too-contaminated" in [notice.code for notice in summary.notices]


def test_a_baseline_that_others_slowed_is_not_compared_with(tmp_path: Path) -> None:
    folder = contaminated_run(tmp_path, 0, GATES[0])
    baseline_of(contaminated_run(tmp_path / "before", 20), into=folder)
    result = only(judge(folder))
    assert (result.status, result.code) == ("inconclusive", "baseline-contaminated")


def test_others_that_slowed_both_run_and_baseline_are_named_for_both(tmp_path: Path) -> None:
    folder = contaminated_run(tmp_path, 20, GATES[0])
    baseline_of(contaminated_run(tmp_path / "before", 20), into=folder)
    summary = judge(folder)
    assert only(summary).code == "both-contaminated"
    (explanation,) = explained(open_recording(folder), summary).explanations
    assert [cause.kind for cause in explanation.causes] == ["cores-taken"]


@pytest.mark.parametrize(("seconds", "failing", "status"), [(8, 0.1, "fail"), (20, 0.1, "fail"), (8, 0.0, "pass")])
def test_a_failure_counts_even_if_others_took_the_cores(
    tmp_path: Path, seconds: float, failing: float, status: str
) -> None:
    folder = contaminated_run(tmp_path, seconds, "error_rate < 1%", failing=failing)
    assert only(judge(folder)).status == status


@pytest.mark.parametrize("require", ["rss_max < 1MB", "rss_growth < 1MB/min"])
def test_memory_does_not_depend_on_who_takes_the_cores(tmp_path: Path, require: str) -> None:
    expected = "fail" if "max" in require else "pass"
    assert only(judge(contaminated_run(tmp_path, 20, require))).status == expected


# ------------------------------------------------------------------------------------------ absolute gates


def test_all_gates_held(tmp_path: Path) -> None:
    folder = record_run(
        tmp_path,
        phases=PHASES,
        gates=["p95 < 500ms", "max < 30000ms", gate("throughput > 100/s", "steady"), "mean < 100ms"],
    )
    summary = judge(folder)
    assert (summary.verdict, summary.exit_code) == ("pass", 0)
    (held,) = summary.verdict_reasons
    assert (held.code, held.params) == ("gates-held", {"count": 7})
    first = summary.gates[0]
    assert first.interval is not None
    assert first.observed is not None
    assert first.interval[1] is not None
    assert first.interval[0] <= first.observed <= first.interval[1] < 500
    assert (first.limit, first.unit, first.phase) == (500, "ms", "ramp")
    assert [entry.phase for entry in summary.gates[:2]] == ["ramp", "steady"]


def test_a_failed_gate_reports_the_figure_its_interval_and_the_limit(tmp_path: Path) -> None:
    folder = record_run(tmp_path, phases=PHASES, gates=[gate("p95 < 20ms", "steady", "POST /checkout")])
    summary = judge(folder)
    assert (summary.verdict, summary.exit_code) == ("fail", 1)
    assert only(summary).status == "fail"
    result, reason = only(summary), summary.verdict_reasons[0]
    assert (result.code, result.params["limit"]) == ("gate-over-limit", 20)
    assert result.params["observed"] == result.observed
    assert reason.code == "gate-failed"
    assert reason.params["gate"] == {"require": "p95 < 20ms", "endpoint": "POST /checkout", "phase": "steady"}
    assert reason.text == summary.reasons[0]
    assert result.reason in reason.text


def test_a_throughput_that_is_enough_reaches_its_limit(tmp_path: Path) -> None:
    result = only(judge(record_run(tmp_path, phases=[steady(seconds=20)], gates=["throughput >= 100/s"])))
    assert (result.status, result.code) == ("pass", "gate-reached-limit")


def test_a_throughput_that_is_too_low_is_under_its_limit(tmp_path: Path) -> None:
    folder = record_run(tmp_path, phases=PHASES, gates=[gate("throughput >= 500/s", "steady")])
    assert only(judge(folder)).code == "gate-under-limit"


def test_a_figure_too_close_to_its_limit_is_inconclusive(tmp_path: Path) -> None:
    probe = judge(record_run(tmp_path, run_id="probe", phases=PHASES))
    p95 = probe.phases[1].response_ms.p95
    folder = record_run(tmp_path, phases=PHASES, gates=[gate(f"p95 < {p95:.0f}ms", "steady")])
    summary = judge(folder)
    assert (summary.verdict, summary.exit_code) == ("inconclusive", 3)
    assert only(summary).code == "gate-too-close"


def test_an_inconclusive_gate_says_how_long_a_phase_would_settle_it(tmp_path: Path) -> None:
    probe = only(judge(record_run(tmp_path, run_id="probe", phases=PHASES, gates=[gate("mean < 1s", "steady")])))
    assert probe.observed is not None
    assert probe.interval is not None
    assert probe.interval[1] is not None
    limit = probe.observed + (probe.interval[1] - probe.observed) / 2
    result = only(judge(record_run(tmp_path, phases=PHASES, gates=[gate(f"mean < {limit:.4f}ms", "steady")])))
    settle = result.params["settle"]
    assert (settle["code"], settle["params"]) == ("gate-settle-longer", {"seconds": 20, "needed": 80})
    at = record_run(tmp_path / "at", phases=PHASES, gates=[gate(f"mean < {probe.observed}ms", "steady")])
    result = only(judge(at))
    assert (result.code, result.params["settle"]["code"]) == ("gate-too-close", "gate-settle-limit")


def test_too_few_requests_for_a_percentile_report_how_many_are_needed(tmp_path: Path) -> None:
    folder = record_run(tmp_path, phases=[steady(users=2, seconds=20)], gates=["p99 < 500ms"])
    result = only(judge(folder))
    assert result.status == "inconclusive"
    assert result.interval is not None
    assert result.interval[1] is None
    assert result.code == "gate-too-few-requests"
    assert (result.params["limit"], result.params["seconds"], result.params["needed"]) == (500, 20, 573)


def test_too_few_requests_without_a_failure_report_how_many_are_needed(tmp_path: Path) -> None:
    result = only(judge(record_run(tmp_path, phases=[steady(users=1, seconds=10)], gates=["error_rate < 1%"])))
    assert result.status == "inconclusive"
    assert (result.code, result.observed) == ("gate-too-few-requests", 0)
    assert result.params["requests"] < result.params["needed"]


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


def test_a_gate_on_an_unknown_phase_or_endpoint_names_the_known_ones(tmp_path: Path) -> None:
    folder = record_run(
        tmp_path,
        phases=[*PHASES, pause()],
        endpoints=SHOP,
        gates=[
            gate("p95 < 500ms", "stedy"),
            gate("p95 < 500ms", "steady", "POST /chekout"),
            gate("p95 < 500ms", "pause"),
        ],
    )
    summary = judge(folder)
    assert summary.exit_code == 3
    unknown, misspelt, idle = summary.gates
    assert (unknown.code, unknown.params["phase"]) == ("gate-phase-not-planned", "stedy")
    assert unknown.params["known"]["params"]["close"] == "steady"
    assert (misspelt.code, misspelt.params["endpoint"]) == ("gate-unknown-endpoint", "POST /chekout")
    assert {"POST /checkout", "GET /products/{id}"} <= set(misspelt.params["known"]["params"]["known"])
    assert (idle.code, idle.params) == ("gate-no-requests", {"phase": "pause"})


DEFAULT_GATE = gate("error_rate < 1%").model_copy(update={"default": True})


@pytest.mark.parametrize(
    ("share", "verdict"),
    [(0.0, "pass"), (0.05, "inconclusive"), (0.5, "fail")],
)
def test_the_default_gate_passes_a_short_run_in_which_nothing_failed(
    tmp_path: Path, share: float, verdict: str
) -> None:
    failures = [Failing(share)] if share else []
    folder = record_run(tmp_path, phases=[steady(2, 6)], gates=[DEFAULT_GATE], failures=failures)
    summary = judge(folder)
    assert only(summary).observed is not None
    assert (summary.verdict, summary.totals.requests < 100) == (verdict, True)
    assert summary.verdict_reasons[-1].code == "default-gate"


def test_the_default_gate_asks_for_no_requests(tmp_path: Path) -> None:
    assert judge(record_run(tmp_path, phases=[steady(0, 3)], gates=[DEFAULT_GATE])).gates == []


def test_a_run_without_gates_passes_and_says_so(tmp_path: Path) -> None:
    summary = judge(record_run(tmp_path, phases=PHASES))
    assert (summary.verdict, [reason.code for reason in summary.verdict_reasons]) == ("pass", ["no-gates"])


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
    assert (only(summary).code, only(summary).params) == ("baseline-missing", {"run": str(folder.path)})


@pytest.mark.parametrize(("slower", "status"), [(0.8, "pass"), (1.4, "inconclusive"), (1.8, "fail")])
def test_a_run_is_compared_with_its_baseline(tmp_path: Path, slower: float, status: str) -> None:
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
    assert result.params["limit"] == result.limit
    assert summary.baseline is not None
    assert summary.baseline.run_ids == ["before"]


def test_a_difference_within_the_noise_is_inconclusive(tmp_path: Path) -> None:
    before = record_run(tmp_path, run_id="before", phases=PHASES, latency=bursty(20, seed=1), seed=1)
    folder = record_run(
        tmp_path, phases=PHASES, latency=bursty(21.5, seed=2), seed=2, gates=[gate("p95 <= baseline + 10%", "steady")]
    )
    baseline_of(before, into=folder)
    assert only(judge(folder)).code == "gate-within-noise"


def test_no_failure_never_breaks_a_gate_against_a_baseline(tmp_path: Path) -> None:
    before = record_run(tmp_path, run_id="before", phases=PHASES)
    folder = record_run(tmp_path, phases=PHASES, gates=[gate("error_rate <= baseline + 10%", "steady")])
    baseline_of(before, into=folder)
    assert only(judge(folder)).status == "pass"


def test_a_single_failure_does_not_fail_beside_a_baseline_without_any(tmp_path: Path) -> None:
    before = record_run(tmp_path, run_id="before", phases=PHASES)
    gates, once = [gate("error_rate <= baseline", "steady")], [Failing(0.0005, phase="steady")]
    folder = record_run(tmp_path, phases=PHASES, gates=gates, failures=once)
    baseline_of(before, before, before, into=folder)
    result = only(judge(folder))
    assert result.observed
    assert (result.status, result.limit) == ("inconclusive", 0)


def test_a_baseline_of_another_machine_is_not_compared_with(tmp_path: Path) -> None:
    before = record_run(tmp_path, run_id="before", phases=PHASES, environment=make_environment("aaaa"))
    folder = record_run(tmp_path, phases=PHASES, gates=[gate("p95 <= baseline + 10%", "steady")])
    baseline_of(before, into=folder, fingerprint="aaaa")
    result = only(judge(folder))
    assert (result.code, result.params["baseline"]) == ("baseline-other-machine", "aaaa")


def test_a_baseline_without_the_endpoint(tmp_path: Path) -> None:
    before = record_run(tmp_path, run_id="before", phases=PHASES, endpoints={"GET /": 1})
    folder = record_run(tmp_path, phases=PHASES, gates=[gate("p95 <= baseline", "steady", "POST /checkout")])
    baseline_of(before, into=folder)
    result = only(judge(folder))
    assert result.code == "baseline-lacks-figure"
    assert {"metric": "p95", "phase": "steady", "endpoint": "POST /checkout"}.items() <= result.params.items()


@pytest.mark.parametrize(("window", "remedy"), [(None, "baseline-remedy-pinned"), (10, "baseline-remedy-window")])
@pytest.mark.parametrize(
    ("before", "endpoint", "code"),
    [(30, "POST /checkout", "baseline-lacks-figure"), (10, None, "baseline-other-load")],
)
def test_what_to_do_about_a_baseline_leaves_a_window_alone(
    tmp_path: Path, before: int, endpoint: str | None, code: str, window: int | None, remedy: str
) -> None:
    """To pin a run would end the window."""
    like = {"GET /": 1} if endpoint else {}
    earlier = record_run(tmp_path, run_id="before", phases=[steady(users=before, seconds=20)], endpoints=like)
    asked = gate("p95 <= baseline", "steady", endpoint)
    folder = record_run(tmp_path, phases=[steady(users=30, seconds=20)], gates=[asked])
    baseline_of(earlier, into=folder, window=window)
    result = only(judge(folder))
    assert (result.code, result.params["remedy"]["code"]) == (code, remedy)


def test_a_baseline_whose_generator_was_the_limit_is_not_compared_with(tmp_path: Path) -> None:
    before = record_run(tmp_path, run_id="before", phases=PHASES, worker=lambda _: WorkerState(cpu=0.99))
    folder = record_run(tmp_path, phases=PHASES, gates=[gate("p95 <= baseline + 10%", "steady")])
    baseline_of(before, into=folder)
    assert only(judge(folder)).code == "baseline-generator-limited"


def test_a_baseline_of_another_load_is_not_compared_with(tmp_path: Path) -> None:
    before = record_run(tmp_path, run_id="before", phases=[steady(users=10, seconds=20)])
    like = record_run(tmp_path, run_id="like", phases=[steady(users=30, seconds=20)])
    folder = record_run(tmp_path, phases=[steady(users=30, seconds=20)], gates=["p95 <= baseline + 50%"])
    baseline_of(before, into=folder)
    result = only(judge(folder))
    assert result.status == "inconclusive"
    assert result.code == "baseline-other-load"
    assert (result.params["baseline"], result.params["here"]) == ("10 users", "30 users")
    baseline_of(before, like, into=folder)
    assert only(judge(folder)).status == "pass"


@pytest.mark.parametrize(("traced", "code"), [("run", "baseline-untraced"), ("before", "baseline-traced")])
def test_traced_runs_are_compared_with_traced_ones_only(tmp_path: Path, traced: str, code: str) -> None:
    before = record_run(tmp_path, run_id="before", phases=PHASES)
    folder = record_run(tmp_path, phases=PHASES, gates=[gate("p95 <= baseline + 50%", "steady")])
    spans = {"run": folder, "before": before}
    SpanWriter(spans.pop(traced).spans).close(Received())
    baseline_of(before, into=folder)
    result = only(judge(folder))
    assert (result.status, result.code) == ("inconclusive", code)
    (other,) = spans.values()
    SpanWriter(other.spans).close(Received())
    baseline_of(before, into=folder)
    assert only(judge(folder)).status == "pass"


# ------------------------------------------------------------------------------------------ failures


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
def test_failures_that_no_gate_reads_get_a_warning(
    tmp_path: Path, gates: list[Gate], share: float, warned: bool
) -> None:
    folder = record_run(tmp_path, phases=PHASES, gates=gates, failures=[Failing(share, phase="steady")])
    unread = [notice.params for notice in judge(folder).notices if notice.code == "failures-not-gated"]
    assert unread == ([{"share": 100, "phase": "steady"}] if warned else [])


def test_a_stress_phase_may_read_its_failures_itself(tmp_path: Path) -> None:
    unread = judge(record_run(tmp_path, run_id="a", phases=[stress()], failures=[Failing(0.2)]))
    assert [notice.code for notice in unread.notices] == ["failures-not-gated"]
    until = stress(until="error_rate > 50%")
    assert judge(record_run(tmp_path, run_id="b", phases=[until], failures=[Failing(0.2)])).warnings == []


# ------------------------------------------------------------------------------------------ how a run ends


def test_a_killed_run_is_broken_and_keeps_its_figures(tmp_path: Path) -> None:
    folder = record_run(tmp_path, phases=[*PHASES, stress()], gates=["p95 < 20ms"], stop_at_s=12.4, end_reason=None)
    summary = judge(folder)
    assert (summary.verdict, summary.exit_code) == ("broken", 4)
    assert summary.verdict_reasons[0].code == "run-was-killed"
    assert summary.verdict_reasons[0].params["seconds"] == pytest.approx(12, abs=0.5)
    assert summary.phases[1].requests > 0
    assert summary.phases[1].cut_short == "it ran 6.8 s of 20 s"
    assert [result.status for result in summary.gates] == ["fail", "fail", "inconclusive"]
    assert (summary.gates[2].code, summary.gates[2].limit) == ("gate-phase-not-begun", summary.gates[1].limit)


def test_an_interrupted_run_is_inconclusive_with_its_own_exit_code(tmp_path: Path) -> None:
    folder = record_run(tmp_path, phases=PHASES, gates=["p95 < 500ms"], stop_at_s=12, end_reason="interrupted")
    summary = judge(folder)
    assert (summary.verdict, summary.exit_code) == ("inconclusive", 130)
    assert summary.verdict_reasons[0].code == "run-was-interrupted"
    assert summary.gates[0].status == "pass"
    assert summary.gates[1].status == "inconclusive"
    assert summary.gates[1].code == "gate-phase-interrupted"
    assert summary.gates[1].params["reason"]["code"] == "gate-within-limit"


@pytest.mark.parametrize("stop_at_s", [12, 25.5])
def test_requests_that_were_cut_off_fail_no_gate(tmp_path: Path, stop_at_s: float) -> None:
    folder = record_run(
        tmp_path,
        phases=PHASES,
        gates=[gate("error_rate < 1%", "ramp"), gate("error_rate < 1%", "steady")],
        failures=[Failing(0.3)],
        stop_at_s=stop_at_s,
        end_reason="interrupted",
    )
    summary = judge(folder)
    assert (summary.verdict, summary.exit_code) == ("inconclusive", 130)
    over, cut_off = summary.gates
    assert over.status == "fail", "this phase had ended"
    assert (cut_off.status, cut_off.code) == ("inconclusive", "gate-phase-interrupted")
    assert cut_off.params["reason"]["code"] == "gate-over-limit"


@pytest.mark.parametrize(
    ("end", "code"),
    [
        ("target lost", "target-was-lost"),
        ("workers lost", "workers-lost"),
        ("proxies lost", "proxies-ended"),
        ("error", "run-error"),
    ],
)
def test_a_run_that_lost_something_is_broken(tmp_path: Path, end: str, code: str) -> None:
    folder = record_run(tmp_path, phases=PHASES, gates=["p95 < 500ms"], stop_at_s=12, end_reason=end)  # type: ignore[arg-type]  # parametrized literals
    summary = judge(folder)
    assert (summary.verdict, summary.exit_code) == ("broken", 4)
    assert summary.verdict_reasons[0].code == code


def test_a_lost_worker_breaks_the_run_even_if_it_went_on(tmp_path: Path) -> None:
    folder = record_run(tmp_path, phases=PHASES, events=[(9.0, "worker lost", "load worker a is gone; 1 left")])
    summary = judge(folder)
    assert summary.exit_code == 4
    assert summary.reasons == ["load worker a is gone; 1 left"]


@pytest.mark.parametrize("repeated", [False, True])
@pytest.mark.parametrize("code", ["user-not-created", "task-raised"])
def test_a_run_that_sent_nothing_because_its_code_raised_is_broken(tmp_path: Path, code: str, repeated: bool) -> None:
    raised = said = message(code, error="KeyError: 'API_HOST'")
    if repeated:
        said = message("scenario-error-repeated", error=raised, count=9)
    folder = record_run(tmp_path, phases=PHASES, requests_per_user_s=0, events=[(9.0, "scenario", said)])
    summary = judge(folder)
    assert (summary.verdict, summary.exit_code) == ("broken", 4)
    assert [reason.code for reason in summary.verdict_reasons] == ["no-requests", code]
    assert judge(record_run(tmp_path / "some", phases=PHASES, events=[(9.0, "scenario", said)])).verdict == "pass"


def test_a_run_that_sent_nothing_is_broken_if_a_gate_asks_for_requests(tmp_path: Path) -> None:
    idle = judge(record_run(tmp_path, phases=PHASES, requests_per_user_s=0))
    assert (idle.verdict, idle.exit_code) == ("pass", 0)
    assert [reason.code for reason in idle.verdict_reasons] == ["no-gates", "no-requests"]
    summary = judge(record_run(tmp_path / "gated", phases=PHASES, gates=["p95 < 500ms"], requests_per_user_s=0))
    assert summary.exit_code == 4
    assert [reason.code for reason in summary.verdict_reasons] == ["no-requests"]
    assert summary.phases[1].error_rate is None
    assert summary.phases[1].response_ms.p95 is None


def test_a_run_whose_every_request_was_refused_is_broken(tmp_path: Path) -> None:
    refused, code = "10.1.2.3 is not allowed", HostNotAllowed.kind
    summary = judge(record_run(tmp_path / "all", phases=PHASES, failures=[Failing(1.0, refused, code=code)]))
    (reason,) = summary.verdict_reasons
    assert (summary.exit_code, reason.code, reason.params) == (4, "all-hosts-refused", {"failure": refused})
    summary = judge(record_run(tmp_path / "most", phases=PHASES, failures=[Failing(0.9, refused, code=code)]))
    assert summary.exit_code == 0
    assert {(kind.failure, kind.code) for kind in summary.failures} == {(refused, code)}


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
    assert summary.gates[1].code == "gate-generator-limited"
    assert "--workers 2" in summary.gates[1].reason
    assert "stress-generator-limited" in [notice.code for notice in summary.notices]


def test_lateness_is_judged_by_what_a_gate_asks(tmp_path: Path) -> None:
    """Responses take 20 ms, 9 ms of which the generator may have added."""
    folder = record_run(
        tmp_path,
        phases=[steady(rate=100, seconds=20)],
        latency=lambda _, at_s, __: 0 * at_s + 20,
        start_delay=lambda _, at_s, __: 0 * at_s + 9,
        failures=[Failing(0.3)],
        gates=[
            "p95 < 200ms",
            "mean < 200ms",
            "max < 200ms",
            "p95 < 25ms",
            "p95 < 15ms",
            "error_rate < 1%",
            "error_rate < 50%",
            "throughput > 80/s",
        ],
    )
    summary = judge(folder)
    assert [gate.status for gate in summary.gates] == [
        *["pass"] * 3,
        "inconclusive",
        "fail",
        "fail",
        "pass",
        "pass",
    ]
    assert summary.gates[3].code == "gate-generator-late"
    (phase,) = summary.phases
    assert phase.generator_limited is None
    assert phase.generator_strained
    assert not summary.generator.saturated
    assert "phase-generator-strained" in [notice.code for notice in summary.notices]


def test_a_short_phase_is_not_blamed_on_the_generator(tmp_path: Path) -> None:
    folder = record_run(
        tmp_path,
        phases=[steady(rate=30, seconds=5)],
        latency=lambda _, at_s, __: 0 * at_s + 20,
        start_delay=lambda _, at_s, __: 0 * at_s + 9,
        gates=["p95 < 200ms", "p95 < 25ms"],
    )
    summary = judge(folder)
    assert [gate.code for gate in summary.gates] == ["gate-too-few-requests", "gate-generator-late"]


def test_dropped_arrivals_leave_a_gate_that_held_open(tmp_path: Path) -> None:
    folder = record_run(
        tmp_path,
        phases=[steady(rate=100, seconds=20), steady(rate=100, seconds=20, name="last")],
        events=[(40.0, "dropped", "40 arrivals dropped", 40)],
        gates=["p95 < 30000ms", "p95 < 1ms"],
    )
    summary = judge(folder)
    assert [phase.dropped for phase in summary.phases] == [0, 40]
    held, dropped, *missed = summary.gates
    assert (held.status, dropped.status, dropped.code) == ("pass", "inconclusive", "gate-arrivals-dropped")
    assert {gate.status for gate in missed} == {"fail"}


def test_a_run_limited_by_the_generator_throughout_is_broken(tmp_path: Path) -> None:
    folder = record_run(tmp_path, phases=PHASES, gates=["p95 < 1ms"], worker=lambda _: WorkerState(cpu=0.98))
    summary = judge(folder)
    assert (summary.verdict, summary.exit_code) == ("broken", 4)
    assert summary.verdict_reasons[0].code == "generator-limited"


@pytest.mark.parametrize(
    ("gates", "exit_code", "statuses"),
    [
        (["error_rate < 1%"], 0, ["pass"]),
        (["error_rate < 0.01%", "error_rate <= 0%"], 3, ["inconclusive", "pass"]),
        (["error_rate < 1%", "p95 < 500ms"], 4, ["pass", "inconclusive"]),
        (["throughput > 1/s"], 4, ["inconclusive"]),
    ],
)
def test_a_generator_that_was_the_limit_leaves_error_rates_of_the_closed_model(
    tmp_path: Path, gates: list[str], exit_code: int, statuses: list[str]
) -> None:
    phases = [steady(seconds=20)]
    summary = judge(record_run(tmp_path, phases=phases, gates=gates, worker=lambda _: WorkerState(cpu=0.98)))
    assert (summary.exit_code, [gate.status for gate in summary.gates]) == (exit_code, statuses)
    assert "phase-generator-limited" in [notice.code for notice in summary.notices]
    assert summary.generator.saturated


def test_a_run_that_the_scenario_ends_is_whole_for_the_default_gate(tmp_path: Path) -> None:
    default = Gate(comparison=gate("error_rate < 1%").comparison, default=True)

    def ended(*gates: Gate | str) -> Summary:
        folder = tmp_path / str(len(list(tmp_path.iterdir())))
        return judge(record_run(folder, phases=[steady(seconds=20)], gates=gates, stop_at_s=10, end_reason="scenario"))

    assert ended(default).exit_code == 0
    stated = ended("error_rate < 1%")
    assert (stated.exit_code, only(stated).code) == (3, "gate-phase-cut-short")


# ------------------------------------------------------------------------------------------ invariants


@pytest.mark.parametrize(
    ("verify", "status", "exit_code", "code"),
    [
        ({"status": "pass", "message": "", "duration_s": 0.1}, "pass", 0, "invariants-held"),
        ({"status": "fail", "message": "3 sold too many", "duration_s": 0.1}, "fail", 1, "invariant-broken"),
        (
            {"status": "error", "message": "KeyError: 'left'", "duration_s": 0.1},
            "inconclusive",
            3,
            "invariant-check-raised",
        ),
        (None, "inconclusive", 3, "invariant-check-not-run"),
        ({"status": "interrupted", "message": ""}, "inconclusive", 130, "invariant-check-interrupted"),
    ],
)
def test_invariants_are_a_gate(
    tmp_path: Path, verify: dict[str, object] | None, status: str, exit_code: int, code: str
) -> None:
    summary = judge(record_run(tmp_path, phases=PHASES, verify=verify, has_verify=True))
    assert only(summary).require == "verify"
    assert (only(summary).status, summary.exit_code) == (status, exit_code)
    assert only(summary).code == code


@pytest.mark.parametrize("verify", [{"status": "maybe"}, {}])
def test_a_damaged_verification_is_named(tmp_path: Path, verify: dict[str, object]) -> None:
    folder = record_run(tmp_path, phases=PHASES, verify=verify)
    with pytest.raises(HarnessError) as raised:
        judge(folder)
    assert (raised.value.code, raised.value.where) == ("verify-status-unknown", str(folder.verification))


# ------------------------------------------------------------------------------------------ warnings


def test_warnings_report_what_could_not_be_sampled(tmp_path: Path) -> None:
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
    with harness_error("file-damaged") as raised:
        judge(folder)
    assert raised.value.where == str(folder.plan)
    assert str(raised.value.params["problem"]).startswith("workers")
    write_json(folder.plan, {**plan, "phases": plan["phases"][:1]})
    with harness_error("journal-unknown-phase") as raised:
        judge(folder)
    assert raised.value.params == {"phase": 1, "planned": 1}


def test_a_baseline_whose_goal_was_worded_otherwise_had_the_same_load(tmp_path: Path) -> None:
    before = record_run(tmp_path, run_id="before", phases=[steady(users=1, seconds=20)])
    folder = record_run(tmp_path, phases=[steady(users=1, seconds=20)], gates=["p95 <= baseline + 50%"])
    baseline_of(before, into=folder)
    kept = folder.comparison.read_text()
    folder.comparison.write_text(kept.replace('"1 user"', '"1 users"'))  # as earlier versions wrote it
    assert kept != folder.comparison.read_text()
    assert only(judge(folder)).code != "baseline-other-load"

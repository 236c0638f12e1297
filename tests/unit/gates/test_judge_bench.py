"""A bench is judged as a run is: by intervals, against a baseline with both sides' noise; failing tests fail it."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from harness.analysis.comparison import compared
from harness.analysis.measurement import measure
from harness.control.finalize import judge_again, write_results
from harness.plan.expression import parse_bench_gate
from harness.plan.margins import parse_margins
from harness.record.comparison import MeasuredRun
from harness.record.gate_result import GateResult
from harness.record.measurement import Baseline
from harness.record.run_folder import RunFolder, read_json, write_json
from harness.record.suite import MemoryFigures, SuiteEnd, SuiteReport, TestProblem
from harness.recording import open_recording
from harness.recording.bench import read_suite
from tests.support.benches import FINGERPRINT, bench_folder
from tests.support.judged import judge

A, B = "micro/test_x.py::test_a", "micro/test_x.py::test_b"


def about(seconds: float, count: int = 200, seed: int = 1) -> list[float]:
    """Rounds that take about so long."""
    spread = np.random.default_rng(seed).normal(1.0, 0.01, count)
    return [float(value) for value in seconds * spread]


def only(results: Sequence[GateResult]) -> GateResult:
    assert len(results) == 1
    return results[0]


def baseline_of(*folders: RunFolder) -> Baseline:
    for folder in folders:
        write_results(folder, judge(folder))
    runs = [measure(open_recording(folder)) for folder in folders]
    return Baseline(scenario="shop", profile="bench", fingerprint=FINGERPRINT, runs=runs)


@pytest.mark.parametrize(
    ("gate", "status", "code"),
    [
        ('bench("test_a").mean < 2ms', "pass", 0),
        ('bench("test_a").mean < 500us', "fail", 1),
        ('bench("test_a").median <= 1.0001ms', "inconclusive", 3),
        ('bench("test_a").rounds >= 200', "pass", 0),
        ('bench("test_a").ops >= 900/s', "pass", 0),
        ('bench("test_a").max < 900us', "fail", 1),
    ],
)
def test_the_whole_interval_is_compared_with_the_limit(tmp_path: Path, gate: str, status: str, code: int) -> None:
    summary = judge(bench_folder(tmp_path, {A: about(1e-3)}, gates=[gate]))
    result = only(summary.gates)
    assert (result.status, summary.exit_code) == (status, code)
    assert (summary.kind, summary.scenario, summary.profile) == ("bench", "shop", "bench")
    assert result.limit == pytest.approx(parse_bench_gate(gate).value)


def test_a_slower_function_fails_against_the_baseline_and_is_named(tmp_path: Path) -> None:
    baseline = baseline_of(bench_folder(tmp_path, {A: about(1e-3), B: about(2e-3)}))
    slow = bench_folder(
        tmp_path,
        {A: about(1e-3, seed=2), B: about(3e-3)},
        gates=['bench("test_*").mean <= baseline + 10%'],
        baseline=baseline,
        name="20260103T030405Z-shop-bench-0a1b",
    )
    summary = judge(slow)
    assert [(gate.endpoint, gate.status) for gate in summary.gates] == [("test_a", "pass"), ("test_b", "fail")]
    failed = summary.gates[1]
    assert (failed.code, failed.params["metric"]) == ("gate-over-limit", "mean")
    assert (failed.observed, failed.limit, failed.baseline) == pytest.approx((3e-3, 2.2e-3, 2e-3), rel=0.01)
    assert summary.verdict_reasons[0].params["gate"]["endpoint"] == "test_b"
    assert [round(row.change or 0, 1) for row in summary.benchmarks] == [0.0, 0.5]


def test_a_change_within_what_runs_differ_by_is_inconclusive(tmp_path: Path) -> None:
    baseline = baseline_of(bench_folder(tmp_path, {A: about(1e-3)}))
    gates = ['bench("test_a").mean <= baseline + 2%']
    near = bench_folder(tmp_path, {A: about(1.02e-3)}, gates=gates, baseline=baseline, name="20260103T030405Z-s-b-1")
    summary = judge(near)
    assert (only(summary.gates).status, summary.exit_code) == ("inconclusive", 3)
    assert only(summary.gates).code == "gate-rounds-within-noise"


def test_runs_of_the_baseline_that_differ_widen_the_interval(tmp_path: Path) -> None:
    runs = [
        bench_folder(tmp_path, {A: about(seconds)}, name=f"2026010{day}T030405Z-s-b-1")
        for day, seconds in enumerate((0.8e-3, 1e-3, 1.25e-3), 1)
    ]
    gates = ['bench("test_a").mean <= baseline + 10%']
    for baseline, status in ((baseline_of(runs[1]), "fail"), (baseline_of(*runs), "inconclusive")):
        name = f"20260104T030405Z-s-b-{status}"
        folder = bench_folder(tmp_path, {A: about(1.2e-3)}, gates=gates, baseline=baseline, name=name)
        assert only(judge(folder).gates).status == status


def test_a_noisy_neighbour_does_not_fail_a_gate(tmp_path: Path) -> None:
    rounds = [0.5e-3, *about(1e-3)]
    report = SuiteReport(finished=True, benchmarks=[A], waited_s={A: sum(rounds) / 2})
    summary = judge(bench_folder(tmp_path, {A: rounds}, gates=['bench("test_a").mean < 800us'], report=report))
    assert only(summary.gates).status == "inconclusive"
    assert only(summary.gates).code == "gate-disturbed"
    assert only(summary.gates).params["taken"] == pytest.approx(0.5)
    assert (summary.notices[0].code, summary.notices[0].params["disturbed"]) == ("bench-disturbed", 1)


def test_a_failing_test_fails_the_bench_whatever_its_times(tmp_path: Path) -> None:
    report = SuiteReport(finished=True, benchmarks=[A], failed=[TestProblem(test=A, message="assert 1 == 2 (x.py:3)")])
    end = SuiteEnd(started_at="2026-01-02T03:04:05Z", duration_s=1.0, exit_status=1)
    summary = judge(bench_folder(tmp_path, {}, gates=['bench("test_a").mean < 1s'], report=report, end=end))
    assert (summary.verdict, summary.exit_code) == ("fail", 1)
    no_figures, failed = summary.gates
    assert (failed.require, failed.code) == ("test_a passes", "bench-test-failed")
    assert failed.params == {"error": "assert 1 == 2 (x.py:3)"}
    assert (no_figures.code, no_figures.params["name"]) == ("bench-no-figures-failed", "test_a")


@pytest.mark.parametrize(
    ("gate", "code", "params"),
    [
        ('bench("test_a").peak < 1MB', "gate-memory-not-measured", {"metric": "peak"}),
        ('bench("test_a").mean <= baseline + 5%', "baseline-missing", {}),
        ('bench("tst_a").mean < 1s', "gate-unknown-benchmark", {"benchmark": "tst_a"}),
        ('bench("test_b").mean < 1s', "bench-no-figures-skipped", {"name": "test_b", "why": "later"}),
    ],
)
def test_an_inconclusive_gate_says_why(tmp_path: Path, gate: str, code: str, params: dict[str, object]) -> None:
    report = SuiteReport(finished=True, benchmarks=[A, B], skipped=[TestProblem(test=B, message="later")])
    summary = judge(bench_folder(tmp_path, {A: about(1e-3)}, gates=[gate], report=report))
    assert (only(summary.gates).status, summary.exit_code) == ("inconclusive", 3)
    assert only(summary.gates).code == code
    assert params.items() <= only(summary.gates).params.items()


def test_allocations_are_counted_and_compared_as_they_are(tmp_path: Path) -> None:
    kept, more = (MemoryFigures(peak_bytes=5000, allocations=n, allocated_bytes=9000) for n in (100, 102))
    baseline = baseline_of(bench_folder(tmp_path, {A: about(1e-3)}, memory={A: kept}))
    gates = ['bench("test_a").allocations <= baseline + 1%', 'bench("test_a").peak <= baseline']
    folder = bench_folder(
        tmp_path, {A: about(1e-3)}, gates=gates, memory={A: more}, baseline=baseline, name="20260103T030405Z-s-b-1"
    )
    assert [gate.status for gate in judge(folder).gates] == ["fail", "pass"]


def test_a_count_that_grows_from_0_is_worse(tmp_path: Path) -> None:
    none, some = (MemoryFigures(peak_bytes=5000, allocations=n, allocated_bytes=9000) for n in (0, 12))
    before = bench_folder(tmp_path, {A: about(1e-3)}, memory={A: none})
    folder = bench_folder(
        tmp_path, {A: about(1e-3)}, memory={A: some}, baseline=baseline_of(before), name="20260103T030405Z-s-b-1"
    )
    (change,) = [change for change in judge(folder).changes if change.metric == "allocations"]
    assert (change.change, change.meaning) == (None, "worse")
    a, b = (MeasuredRun(measure(open_recording(each))) for each in (before, folder))
    worse, better = compared([a], [b], parse_margins([])), compared([b], [a], parse_margins([]))
    (grown,) = [figure for figure in worse.figures if figure.metric == "allocations"]
    assert (worse.verdict, grown.outcome, grown.finding.code) == ("worse", "worse", "compare-from-zero")
    assert (grown.change, grown.interval, grown.baseline, grown.observed) == (None, None, 0, 12)
    assert [figure.outcome for figure in better.figures if figure.metric == "allocations"] == ["better"]


@pytest.mark.parametrize(
    ("end", "finished", "verdict", "exit_code", "code"),
    [
        ({"exit_status": 2, "interrupted": True}, True, "inconclusive", 130, "bench-interrupted"),
        ({"exit_status": -11}, False, "broken", 4, "pytest-killed"),
        ({"exit_status": 3}, True, "broken", 4, "pytest-broke-down"),
        ({"exit_status": 0}, True, "broken", 4, "no-benchmarks-measured"),
    ],
)
def test_a_suite_that_did_not_run_to_its_end_does_not_pass(
    tmp_path: Path, end: dict[str, int], finished: bool, verdict: str, exit_code: int, code: str
) -> None:
    ended = SuiteEnd.model_validate({"started_at": "2026-01-02T03:04:05Z", "duration_s": 1.0, **end})
    report = SuiteReport(finished=finished, benchmarks=[A], running=B)
    gates = ['bench("test_a").mean < 1s']
    summary = judge(bench_folder(tmp_path, {}, gates=gates, report=report, end=ended))
    assert (only(summary.gates).code == "bench-no-figures-pytest-died") == (not finished)
    assert finished or summary.warnings == []
    assert (summary.verdict, summary.exit_code) == (verdict, exit_code)
    assert summary.verdict_reasons[0].code == code
    assert "test_b" in summary.reasons[0] or code == "no-benchmarks-measured"


@pytest.mark.parametrize("status", [1, 2, 4, 5, 137])
def test_a_bench_does_not_pass_if_pytest_ended_with_an_error(tmp_path: Path, status: int) -> None:
    end = SuiteEnd(started_at="2026-01-02T03:04:05Z", duration_s=1.0, exit_status=status)
    report = SuiteReport(finished=True, benchmarks=[A, B], waited_s={A: 0.0})
    gates = ['bench("test_a").mean < 1s']
    summary = judge(bench_folder(tmp_path, {A: about(1e-3)}, gates=gates, report=report, end=end))
    assert (summary.verdict, summary.exit_code) == ("broken", 4)
    assert summary.verdict_reasons[0].code == ("pytest-failed-without-test" if status == 1 else "pytest-ended-badly")
    assert summary.verdict_reasons[0].params == {"status": status}
    assert [notice.code for notice in summary.notices] == ["bench-not-run"]


def test_a_test_that_was_not_reached_is_not_blamed_for_calling_nothing(tmp_path: Path) -> None:
    """As with ``-x``: pytest ends with 1 where it ended before its last test, too."""
    gates = ['bench("test_b").mean < 1s']
    failed = [TestProblem(test=A, message="assert 1 == 2 (x.py:3)")]
    end = SuiteEnd(started_at="2026-01-02T03:04:05Z", duration_s=1.0, exit_status=1)
    found = {}
    for name, waited_s in (("left", {A: 0.0}), ("reached", {A: 0.0, B: 0.0})):
        report = SuiteReport(finished=True, benchmarks=[A, B], failed=failed, waited_s=waited_s)
        summary = judge(bench_folder(tmp_path / name, {}, gates=gates, report=report, end=end))
        found[name] = (summary.gates[0].code, [notice.code for notice in summary.notices])
    assert found == {
        "left": ("bench-no-figures-not-run", ["bench-not-run"]),
        "reached": ("bench-no-figures-not-called", ["bench-not-measured"]),
    }


def test_a_bench_of_another_version_is_read(tmp_path: Path) -> None:
    folder = bench_folder(tmp_path, {A: about(1e-3)}, gates=['bench("test_a").mean < 1s'])
    for file in (folder.suite, folder.suite_end):
        write_json(file, {**read_json(file), "taken": {A: 0.5}})
    assert judge(folder).exit_code == 0


@pytest.mark.parametrize("left_out", [{"elsewhere": ["test_b"]}, {"deselected": [B]}])
def test_gates_on_what_was_left_out_get_a_warning_instead_of_a_result(
    tmp_path: Path, left_out: dict[str, list[str]]
) -> None:
    report = SuiteReport(finished=True, benchmarks=[A], **left_out)
    gates = ['bench("test_b").mean < 1us', 'bench("test_a").mean < 1s']
    summary = judge(bench_folder(tmp_path, {A: about(1e-3)}, gates=gates, report=report))
    assert ([gate.require for gate in summary.gates], summary.verdict) == ([gates[1]], "pass")
    assert (summary.notices[0].code, summary.notices[0].params) == ("gate-not-judged", {"gate": gates[0]})


@pytest.mark.parametrize(
    ("arguments", "gone"), [((), ["test_b", "test_old"]), (("tests/test_x.py",), ["test_b"]), (("-k", "a"), ["test_b"])]
)
def test_a_benchmark_of_the_baseline_that_is_gone_is_named(
    tmp_path: Path, arguments: tuple[str, ...], gone: list[str]
) -> None:
    old = "elsewhere/test_old.py::test_old"
    before = bench_folder(tmp_path / "1", {A: about(1e-3), B: about(1e-3), old: about(1e-3)})
    now = bench_folder(tmp_path / "2", {A: about(1e-3)})
    plan = read_json(now.plan)
    write_json(now.plan, {**plan, "arguments": arguments})
    write_json(now.comparison, baseline_of(before).model_dump(by_alias=True))
    (found,) = (notice for notice in judge(now).notices if notice.code == "bench-gone")
    assert found.params == {"names": gone}


def test_a_bench_of_which_no_gate_was_judged_does_not_pass(tmp_path: Path) -> None:
    report = SuiteReport(finished=True, benchmarks=[A], elsewhere=["test_b"])
    summary = judge(bench_folder(tmp_path, {A: about(1e-3)}, gates=['bench("test_b").mean < 1us'], report=report))
    assert (summary.gates, summary.verdict, summary.exit_code) == ([], "inconclusive", 3)
    assert [reason.code for reason in summary.verdict_reasons] == ["no-gate-judged"]


def test_a_gate_that_is_asked_later_for_what_was_left_out_does_not_pass(tmp_path: Path) -> None:
    report = SuiteReport(finished=True, benchmarks=[A], deselected=[B])
    folder = bench_folder(tmp_path, {A: about(1e-3)}, report=report)
    summary = judge_again(folder, [parse_bench_gate('bench("test_b").mean < 1us')])
    assert (only(summary.gates).status, summary.exit_code, summary.warnings) == ("inconclusive", 3, [])
    assert only(summary.gates).code == "gate-left-out"


def test_two_tests_of_one_name_are_called_by_their_ids(tmp_path: Path) -> None:
    other = "micro/test_y.py::test_a"
    folder = bench_folder(tmp_path, {A: about(1e-3), other: about(2e-3)}, gates=['bench("test_*").mean < 1.5ms'])
    assert [(gate.endpoint, gate.status) for gate in judge(folder).gates] == [(A, "pass"), (other, "fail")]


def test_it_is_judged_and_drawn_again_under_other_gates(tmp_path: Path) -> None:
    folder = bench_folder(tmp_path, {A: about(1e-3), "m.py::test_<b>[&]": about(2e-3)})
    summary = judge_again(folder, [parse_bench_gate('bench("test_a").p95 < 1us')])
    assert summary.exit_code == 1
    page = folder.report.read_text(encoding="utf-8")
    assert "test_&lt;b&gt;[&amp;]" in page
    assert "test_<b>" not in page
    assert 'bench("test_a").p95 &lt; 1us' in page or "bench(&#34;test_a&#34;).p95 &lt; 1us" in page
    assert "| test\\_a | 200 |" in (folder.path / "summary.md").read_text(encoding="utf-8")
    assert "2 benchmarks of 400 rounds" in (folder.path / "comment.md").read_text(encoding="utf-8")
    assert '<failure type="gate"' in (folder.path / "junit.xml").read_text(encoding="utf-8")
    assert read_suite(folder).benchmarks[0].rounds[0] == about(1e-3)[0]


def test_a_killed_and_renamed_bench_began_when_its_plan_was_written(tmp_path: Path) -> None:
    folder = bench_folder(tmp_path, {A: about(1e-3)})
    folder.suite_end.unlink()
    os.utime(folder.plan, (0, 0))
    folder.path.rename(tmp_path / "before the change")
    summary = judge(RunFolder(tmp_path / "before the change"))
    assert (summary.verdict, summary.started_at) == ("broken", "1970-01-01T00:00:00Z")

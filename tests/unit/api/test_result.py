"""A run read from Python: figures by name in the documented units, tables, and a verdict that says why."""

from __future__ import annotations

import math
from pathlib import Path

import pandas as pd
import pytest

from harness import HarnessError, Run
from harness.api.result import Verdict
from harness.messages import Message
from harness.record.run_folder import write_text
from harness.record.summary import Summary
from harness.recording import open_recording
from tests.support.judged import judge
from tests.support.plans import diagnose, gate, pause, ramp, steady, stress
from tests.support.recordings import Failing, record_run
from tests.support.reported import HOSTILE

RUN_ID = "20260202T024000Z-flash_sale-default-0001"


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A judged run: one gate holds, one does not, one is inconclusive."""
    folder = record_run(
        tmp_path_factory.mktemp("reports"),
        run_id=RUN_ID,
        phases=[ramp(20, 2), steady(users=20, seconds=15), pause(2), stress((20, 40), 3), diagnose(10, 2)],
        gates=[gate(text, "steady") for text in ("p95 < 1ms", "p95 < 500ms", "p95 <= baseline + 10%")],
        failures=[Failing(0.5, endpoint="POST /checkout")],
        held_steps=1,
    )
    write_text(folder.summary, judge(folder).to_json())
    return Run.load(folder.path)


def test_figures_are_found_by_name(run: Run) -> None:
    figures = run.summary.phases[1]
    steady = run.phase("steady")
    assert steady.p95 == figures.response_ms.p95
    assert steady.p99_9 == figures.response_ms.p99_9
    assert (steady.throughput, steady.error_rate) == (figures.throughput_rps, figures.error_rate)
    assert (steady.ok.p50, steady.service.max) == (figures.ok_response_ms.p50, figures.service_ms.max)
    checkout = next(endpoint for endpoint in figures.endpoints if endpoint.name == "/checkout")
    assert steady.endpoint("POST /checkout").p99 == checkout.response_ms.p99
    assert steady.endpoint("POST /checkout").failures == checkout.failures > 0
    assert run.phase("stress").held == 20


def test_a_figure_that_does_not_exist_meets_no_requirement(run: Run) -> None:
    p95 = run.phase("pause").p95
    assert math.isnan(p95)
    assert not p95 < 500
    assert math.isnan(run.phase("pause").error_rate)


def test_an_unknown_name_is_reported_with_the_known_ones(run: Run) -> None:
    with pytest.raises(HarnessError) as error_info:
        run.phase("stedy")
    assert (error_info.value.code, error_info.value.params["phase"]) == ("run-unknown-phase", "stedy")
    hint = error_info.value.params["alternatives"]
    assert isinstance(hint, Message)
    assert (hint.code, hint.params["close"]) == ("did-you-mean", "steady")
    with pytest.raises(HarnessError) as error_info:
        run.phase("steady").endpoint("/basket")
    assert (error_info.value.code, error_info.value.params["endpoint"]) == ("run-unknown-endpoint", "/basket")
    hint = error_info.value.params["alternatives"]
    assert isinstance(hint, Message)
    assert "POST /checkout" in hint.params["known"]  # type: ignore[operator]  # a list


def test_the_verdict_shows_what_was_required_and_observed_and_where_more_is(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(run.path.parent.parent)
    verdict = run.verdict
    assert not verdict
    assert (verdict.status, verdict.passed, verdict.failed, verdict.inconclusive) == ("fail", False, True, False)
    failed, unsure, *more = str(verdict).splitlines()
    assert run.gates[0].code == "gate-over-limit"
    assert failed == f"fail: gate `p95 < 1ms` in steady failed: {run.gates[0].reason}"
    assert unsure.startswith("gate `p95 <= baseline + 10%` in steady is inconclusive: ")
    reports = run.path.parent.name
    assert more == [f"see more: harness gate {reports}/{RUN_ID}", f"report: {reports}/{RUN_ID}/report.html"]


def test_what_the_target_wrote_is_harmless_in_the_verdict(run: Run) -> None:
    hostile = run.summary.model_copy(update={"reasons": [f"gate on {HOSTILE}\n failed"]})
    text = repr(Verdict.of(hostile, run.path)) + Verdict.of(hostile, run.path).reasons[0]
    assert "\x1b" not in text
    assert "\x00" not in text
    assert "\n" not in text


def test_tables_hold_what_was_recorded(run: Run) -> None:
    totals = run.summary.totals
    timeline = run.timeline
    assert timeline["requests"].sum() == totals.requests
    assert timeline["failures"].sum() == totals.failures
    assert set(timeline["phase"]) == {"ramp", "steady", "stress", "diagnose"}
    assert timeline["max_ms"].max() == pytest.approx(max(phase.max for phase in run.phases if phase.requests))
    steady = run.figures.set_index("name").loc["steady"]
    assert steady["p95_ms"] == run.phase("steady").p95
    endpoints = run.endpoints.set_index(["phase", "method", "name"])
    assert (
        endpoints.loc[("steady", "POST", "/checkout"), "ok_p99_ms"]
        == run.phase("steady").endpoint("POST /checkout").ok.p99
    )
    assert run.steps["level"].tolist() == [20, 40]
    assert run.failures["count"].sum() == totals.failures


def test_each_recorded_stream_is_the_table_that_is_exported(run: Run) -> None:
    open_recording(run.folder).write_tables()
    pd.testing.assert_frame_equal(run.resources, pd.read_parquet(run.path / "resources.parquet"))
    requests, exported = run.stream("requests"), pd.read_parquet(run.path / "timeline.parquet")
    assert requests["requests"].tolist() == exported["requests"].tolist()
    with pytest.raises(HarnessError, check=lambda error: error.code == "stream-not-recorded") as raised:
        run.stream("rounds")
    assert raised.value.params["stream"] == "rounds"


def test_a_killed_run_is_judged_when_it_is_read_and_nothing_is_written(tmp_path: Path) -> None:
    folder = record_run(tmp_path, phases=[steady(users=5, seconds=5)], stop_at_s=3, end_reason=None)
    run = Run.load("latest", out=tmp_path)
    assert run.verdict.broken
    assert "killed" in run.verdict.reasons[0]
    assert run.phase("steady").requests > 0
    assert not folder.summary.exists()
    assert run.draw().is_file()
    drawn = Run.load("latest", out=tmp_path).summary
    assert {"timeline", "resources"} <= drawn.artifacts.keys()
    exported = pd.read_parquet(folder.path / drawn.artifacts["timeline"])
    assert exported["requests"].sum() == drawn.totals.requests > 0


def test_a_run_without_a_request_has_its_tables_all_the_same(tmp_path: Path) -> None:
    run = Run(record_run(tmp_path, phases=[pause(1)]))
    for table in (run.timeline, run.endpoints, run.steps, run.failures, run.suspects):
        assert (len(table), "p95_ms" in table or table is run.failures or table is run.suspects) == (0, True)


def test_judged_again_by_other_gates_it_is_another_result(tmp_path: Path) -> None:
    folder = record_run(tmp_path, phases=[steady(users=10, seconds=10)], gates=["p95 < 500ms"])
    run = Run(folder, judge(folder))
    assert run.verdict.passed
    again = run.judge("p95 < 1ms", phase="steady")
    assert [result.require for result in again.gates] == ["p95 < 1ms"]
    assert again.verdict.failed
    assert Summary.model_validate_json(folder.summary.read_text()) == again.summary
    with pytest.raises(HarnessError) as error_info:
        run.judge(endpoint="GET /")
    assert (error_info.value.code, error_info.value.where) == ("judge-nothing-required", "endpoint=")

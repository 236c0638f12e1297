"""The run compared with its baseline: only a change that noise cannot explain is better or worse."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from harness.analysis.changes import changes_of
from harness.analysis.measurement import measure
from harness.record.changes import Change
from harness.record.measurement import Baseline
from harness.record.run_folder import write_text
from harness.recording import open_recording
from harness.report import write_reports
from tests.support.judged import judge
from tests.support.latencies import lognormal
from tests.support.plans import pause, steady
from tests.support.recordings import Failing, record_run


def compared(tmp_path: Path, before: dict[str, Any], now: dict[str, Any]) -> dict[tuple[str, str], Change]:
    phases = [steady(40, 20), pause(2)]
    old = record_run(tmp_path, run_id="old", phases=phases, seed=1, **{"latency": lognormal(20), **before})
    run = record_run(tmp_path, run_id="new", phases=phases, seed=2, **{"latency": lognormal(20), **now})
    known = Baseline(scenario="s", profile="p", fingerprint="f1e2d3c4", runs=[measure(open_recording(old))])
    write_text(run.comparison, known.model_dump_json(by_alias=True))
    found = changes_of(open_recording(run))
    assert {change.phase for change in found} == {"steady"}
    assert found[0].endpoint is None
    return {(change.endpoint or "", change.metric): change for change in found}


def test_twice_as_slow_is_worse(tmp_path: Path) -> None:
    found = compared(tmp_path, {}, {"latency": lognormal(40)})
    for endpoint in ("", "GET /products"):
        p50 = found[endpoint, "p50"]
        assert p50.meaning == "worse"
        assert p50.change == pytest.approx(1.0, abs=0.2)
        assert p50.interval is not None
        low, high = p50.interval
        assert 0 < low < 1.0 < (high or 0)
    assert found["", "throughput"].meaning == "no clear change"


def test_twice_as_fast_is_better(tmp_path: Path) -> None:
    found = compared(tmp_path, {}, {"latency": lognormal(10)})
    assert found["", "p95"].meaning == "better"
    assert (found["", "p95"].change or 0) == pytest.approx(-0.5, abs=0.1)


def test_more_throughput_is_better_and_less_is_worse(tmp_path: Path) -> None:
    rates = {"requests_per_user_s": 8.0}
    assert compared(tmp_path / "more", {}, rates)["", "throughput"].meaning == "better"
    assert compared(tmp_path / "less", rates, {})["", "throughput"].meaning == "worse"


def test_error_rates_are_compared_by_difference(tmp_path: Path) -> None:
    found = compared(tmp_path, {}, {"failures": [Failing(0.1)]})
    errors = found["", "error_rate"]
    assert errors.meaning == "worse"
    assert (errors.baseline, errors.unit) == (0.0, "%")
    assert errors.change == pytest.approx(0.1, abs=0.03)


def test_an_equal_run_is_not_a_change(tmp_path: Path) -> None:
    found = compared(tmp_path, {}, {})
    assert {found["", metric].meaning for metric in ("p50", "p95", "mean", "throughput")} == {"no clear change"}


def test_what_the_baseline_does_not_know_is_left_out(tmp_path: Path) -> None:
    found = compared(tmp_path, {"endpoints": {"GET /a": 1.0}}, {"endpoints": {"GET /a": 0.5, "GET /b": 0.5}})
    assert {endpoint for endpoint, _ in found} == {"", "GET /a"}


def test_a_baseline_of_another_load_is_not_compared_with_and_the_report_says_so(tmp_path: Path) -> None:
    old = record_run(tmp_path, run_id="old", phases=[steady(40, 20), steady(10, 5, name="calm")])
    run = record_run(tmp_path, run_id="new", phases=[steady(80, 20), steady(10, 5, name="calm")])
    known = Baseline(scenario="s", profile="p", fingerprint="f1e2d3c4", runs=[measure(open_recording(old))])
    write_text(run.comparison, known.model_dump_json(by_alias=True))
    assert {change.phase for change in changes_of(open_recording(run))} == {"calm"}
    write_text(run.summary, judge(run).to_json())
    write_reports(run)
    (reason,) = re.findall(r"<p class=\"note\" data-left-out>(.*?)</p>", run.report.read_text())
    assert all(text in reason for text in ("Not compared: steady", "40 users", "80 users"))


def test_without_a_baseline_there_is_nothing_to_compare(tmp_path: Path) -> None:
    assert changes_of(open_recording(record_run(tmp_path, phases=[steady(5, 3)]))) == []

"""The end of a run as people and programs read it."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from rich.cells import cell_len

from harness.cli.outcome import show_outcome
from harness.messages import Option, message
from harness.metrics.formatting import Amount, Estimate, Limit
from harness.record.changes import Suspect
from harness.record.gate_result import GateResult
from harness.record.measurement import Interval
from harness.record.phase_summary import PhaseSummary, StepFigures
from harness.record.run_folder import RunFolder
from harness.record.summary import FailureKind, Summary, Totals
from harness.report.exporters.markdown import summary_markdown
from tests.support.judged import judge
from tests.support.latencies import lognormal
from tests.support.plans import gate, ramp, steady, stress
from tests.support.recordings import Failing, record_run
from tests.support.streams import stream_that_takes_nothing
from tests.support.summaries import a_summary

_ESCAPE = re.compile(r"\x1b\[[0-9;]*m")
HOSTILE = "GET /\x1b]0;owned\x07\x1b[2J[bold]\u202ex\n\ttwo"


def passed(**more: Any) -> Summary:
    held = {"scenario": "shop", "profile": "load", "duration_s": 61.4, "exit_code": 0}
    return a_summary(**{**held, "verdict": "pass", "reasons": ["all 2 gates held"], **more})


def a_phase(**more: Any) -> PhaseSummary:
    stress_phase = {"index": 0, "name": "stress", "kind": "stress", "model": "closed", "start_s": 0, "end_s": 9}
    return PhaseSummary(**{**stress_phase, **more})


def shown(summary: Summary, folder: RunFolder | Path, capsys: pytest.CaptureFixture[str]) -> str:
    """What people read, no-break spaces as spaces."""
    show_outcome(folder if isinstance(folder, RunFolder) else RunFolder(folder), summary, as_json=False)
    out, err = capsys.readouterr()
    assert out == ""
    return err.replace("\xa0", " ")


def test_a_judged_run_is_shown_whole(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = record_run(
        tmp_path,
        phases=[ramp(20, 3), steady(60, 8), steady(rate=100, seconds=4, name="open"), stress((10, 20, 30), 3)],
        gates=[gate("p95 < 500ms", "steady"), gate("p95 < 5ms", "steady"), "p95 <= baseline + 10%"],
        start_delay=lognormal(1),
        failures=[Failing(0.05, "HTTP 500", "GET /products")],
        held_steps=2,
    )
    summary = judge(folder)
    text = shown(summary, folder, capsys)
    assert "\x1b" not in text
    assert text.startswith("verdict: fail  flash_sale · default · ")
    assert re.search(r"✔ pass +p95 < 500ms +steady +\S+ ms +\S+ ms … \S+ ms +500 ms", text)
    assert re.search(r"✖ fail +p95 < 5ms +steady +\S+ ms +\S+ ms … \S+ ms +5 ms", text)
    assert f"✖ p95 < 5ms in steady: {summary.gates[1].reason}" in text
    # One reason for all the phases that the gate reads.
    assert len(re.findall(rf"{folder.run_id}\s+--window 10", text)) == 1
    assert "? p95 <= baseline + 10% in ramp and 3 more: no baseline" in text
    assert re.search(r"^Phase +Goal +Requests +Rate +Errors +P50 +P95 +P95 service +P99 +Max +CPU/request$", text, re.M)
    assert re.search(r"^steady +60 users +[\d,]+ +\S+/s +\S+ %( +\S+ ms){6}$", text, re.M)
    assert re.search(r"stress: held 20 users, \D*30\n", text)
    assert re.search(r"\d+ +GET /products +HTTP 500", text)
    assert text.endswith(f"report  {folder.report}\n")


@pytest.mark.parametrize("width", [40, 60, 80, 120])
def test_it_fits_the_terminal(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, width: int
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", str(width))
    folder = record_run(
        tmp_path,
        phases=[steady(20, 4)],
        gates=["p95 < 1ms", gate("p95 < 1ms", None, "POST /a/long/name/of/an/endpoint/{id}/and/more")],
        endpoints={"POST /a/long/name/of/an/endpoint/{id}/and/more": 1.0},
        failures=[Failing(0.2, "HTTP 500 " + "and so on " * 30)],
    )
    text = shown(judge(folder), folder, capsys)
    assert "\x1b[" in text
    lines = _ESCAPE.sub("", text).splitlines()
    *rest, report = lines
    assert max(map(cell_len, rest)) <= width
    assert report == f"report  {folder.report}"  # in one piece, whatever its length
    assert ("95 % interval" in text) == (width >= 70)


def test_the_report_is_named_as_seen_from_here(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert shown(passed(), Path("reports/run"), capsys).endswith("\nreport  reports/run/report.html\n")


def test_with_json_programs_read_the_summary_and_nothing_else(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    summary = passed()
    show_outcome(RunFolder(tmp_path), summary, as_json=True)
    out, err = capsys.readouterr()
    assert out == summary.to_json()
    assert json.loads(out)["verdict"] == "pass"
    assert err.replace("\xa0", " ").startswith(
        "verdict: pass  shop · load · 1 min 1 s · 0 requests\n  all 2 gates held\n"
    )


def test_a_broken_run_says_why_and_where_its_logs_are(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "target.log").write_text("Traceback\n")
    summary = passed(
        verdict="broken",
        exit_code=4,
        reasons=["the target was lost", "gate `p95 < 1s` failed: p95 was 2 s"],
        gates=[GateResult(require="p95 < 1s", status="fail", reason="p95 was 2 s")],
        warnings=["memory: not traced", "memory: not traced"],
        totals=Totals(requests=1, failures=1),
    )
    text = shown(summary, tmp_path, capsys)
    assert text.startswith(
        "verdict: broken  shop · load · 1 min 1 s · 1 request, 1 failed (100 %)\n  the target was lost"
    )
    assert "gate `p95 < 1s` failed" not in text
    assert text.count("p95 was 2 s") == 1
    assert text.count("! memory: not traced") == 1
    assert f"target  {tmp_path / 'target.log'}" in text
    assert "harness.log" not in text


def test_many_failures_and_suspects_show_the_worst(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    kinds = [
        FailureKind(method="GET", name=f"/{count}", failure="HTTP 500", count=count, first_s=0, last_s=1)
        for count in range(1, 9)
    ]
    suspect = Suspect(
        function="search",
        file="shop/app.py",
        line=88,
        share_baseline=0.03,
        share_run=0.41,
        change=0.38,
        cpu_ms_baseline=0.3,
        cpu_ms_run=4.1,
    )
    native = suspect.model_copy(update={"function": "memcpy", "file": "libc", "line": 0})
    text = shown(passed(failures=kinds, suspects=[suspect, native]), tmp_path, capsys)
    assert re.findall(r"^ *(\d) +GET /(\d)", text, re.M) == [(str(n), str(n)) for n in (8, 7, 6, 5, 4)]
    assert "and 3 more" in text
    assert re.search(r"^\+3.8 ms +search +shop/app.py:88 +\S+ \S+ +4.1 ms", text, re.M)
    assert re.search(r"^\+3.8 ms +memcpy +libc +", text, re.M)


def test_what_a_stress_phase_found_follows_its_table(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    phase = a_phase(held=20, steps=[StepFigures(level=20, held=True), StepFigures(level=30, held=False)])
    assert re.search(r"^stress +.*\n  stress: held 20 users", shown(passed(phases=[phase]), tmp_path, capsys), re.M)


def test_a_phase_without_a_limit_does_not_mention_one(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = shown(passed(phases=[a_phase(kind="steady", name="hold")]), tmp_path, capsys)
    assert "held" not in text.replace("all 2 gates held", "")
    assert re.search(r"^hold +0 +0/s +– +–", text, re.M)


def test_hostile_texts_are_harmless(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    summary = passed(
        scenario=HOSTILE,
        reasons=[HOSTILE],
        warnings=[HOSTILE],
        phases=[a_phase(name=HOSTILE, goal=HOSTILE)],
        gates=[GateResult(require="p95 < 1s", endpoint=HOSTILE, phase=HOSTILE, status="fail", reason=HOSTILE * 99)],
        failures=[FailureKind(method="GET", name=HOSTILE, failure=HOSTILE, count=1, first_s=0, last_s=1)],
    )
    text = shown(summary, tmp_path, capsys)
    for harm in ("\x1b", "\x07", "\u202e", "\t"):
        assert harm not in text
    assert text.count("[bold]�x two") > 5


@pytest.mark.parametrize("state", ["closed pipe", "full disk"])
def test_json_is_written_even_if_standard_error_cannot_be(
    state: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with stream_that_takes_nothing(state) as log:
        monkeypatch.setattr("sys.stderr", log)
        log.write("left from the lines of the run\n")
        show_outcome(RunFolder(tmp_path), passed(), as_json=True)
        monkeypatch.undo()
    assert json.loads(capsys.readouterr().out)["verdict"] == "pass"


def test_columns_is_the_width_where_there_is_no_terminal(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "60")
    text = shown(passed(reasons=["a reason of many words " * 10]), tmp_path, capsys)
    lines = [line for line in text.splitlines() if not line.startswith("report")]
    assert max(map(cell_len, lines)) <= 60


@pytest.mark.parametrize(
    ("verdict", "exit_code", "asked", "expected"),
    [
        ("inconclusive", 3, None, 3),
        ("inconclusive", 3, "pass", 0),
        ("inconclusive", 3, "warn", 0),
        ("inconclusive", 3, "fail", 1),
        ("inconclusive", 130, "pass", 130),  # interrupted
        ("broken", 4, "pass", 4),
        ("fail", 1, "pass", 1),
        ("pass", 0, "fail", 0),
    ],
)
def test_an_inconclusive_verdict_has_the_exit_code_that_was_asked_for(
    verdict: str,
    exit_code: int,
    asked: str | None,
    expected: int,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    summary = passed(verdict=verdict, exit_code=exit_code)
    assert show_outcome(RunFolder(tmp_path), summary, as_json=True, inconclusive=asked) == expected
    out, err = capsys.readouterr()
    assert json.loads(out)["exit_code"] == exit_code
    warned = str(message("inconclusive-counts-as-pass", option=Option("inconclusive", "warn"))) in err
    assert warned == (asked == "warn" and exit_code == 3)
    failed = str(message("inconclusive-counts-as-fail", option=Option("inconclusive", "fail"))) in err
    assert failed == (asked == "fail" and exit_code == 3)


def test_the_longest_reason_of_a_gate_is_shown_to_its_end(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    observed = Estimate(Interval(value=1234.5, low=1011.5, high=1555.5), "ms")
    limit = Limit(1350.5, "ms", 1222.5, 0.12)
    figures = {"metric": "cpu_per_request", "observed": observed, "limit": limit}
    settle = [message("gate-settle-duet"), message("gate-settle-calibrated-limit")]
    seen = message("gate-detectable", least=Amount(4321.5, "ms"))
    alone = message("gate-within-noise", settle=settle, seen=seen, **figures)
    night = "20260202T140000Z-a_scenario_with_a_long_name-nightly-0006"
    together = message("gate-nights-open", reason=alone, nights=11, since=night, **figures)
    gate = GateResult(require="cpu_per_request <= baseline + 10%", status="inconclusive").because(together)
    text = shown(passed(verdict="inconclusive", exit_code=3, gates=[gate]), tmp_path, capsys)
    assert " ".join(gate.reason.split()) in " ".join(text.split())
    assert "machine was 12 % slower)" in summary_markdown(passed(gates=[gate]))[-300:]


@pytest.mark.parametrize(("asked", "expected"), [("warn", 3), ("pass", 0), ("fail", 1)])
def test_a_whole_window_of_inconclusive_runs_is_exit_code_3(asked: str, expected: int, tmp_path: Path) -> None:
    summary = passed(verdict="inconclusive", exit_code=3).warned(message("inconclusive-for-long", runs=10))
    assert show_outcome(RunFolder(tmp_path), summary, as_json=False, inconclusive=asked) == expected

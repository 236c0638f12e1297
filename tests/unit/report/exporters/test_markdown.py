"""summary.md: the verdict first, then a table for each section that the run has data for."""

from __future__ import annotations

import re

from harness.record.benchmark_figures import BenchmarkFigures
from harness.record.changes import Suspect
from harness.record.figures import Latency
from harness.record.gate_result import GateResult
from harness.record.phase_summary import PhaseSummary
from harness.record.summary import FailureKind
from harness.report.exporters.markdown import comment_markdown, summary_markdown
from tests.support.summaries import a_summary

NASTY = "a|b `c` <img src=x>\n**d** [e](f) @team \x1b[31m\x00"


def test_the_verdict_is_first_and_failed_gates_precede_others() -> None:
    gates = [
        GateResult(require="p50 < 1ms", status="pass", phase="steady", observed=0.5, unit="ms", limit=1),
        GateResult(
            require="p95 < 5ms", status="fail", endpoint="GET /x|y", observed=9, unit="ms", limit=5, interval=(8, None)
        ),
    ]
    text = summary_markdown(a_summary(gates=gates, reasons=["p95 was too high"]))
    assert text.startswith("## ❌ fail: flash\\_sale · smoke\n\n20\u00a0s · 0 requests · run r\n\n- p95 was too high\n")
    assert text.index("p95 &lt; 5ms on GET /x\\|y") < text.index("p50 &lt; 1ms")
    assert "8\u00a0ms … ?" in text


def test_every_row_of_a_table_has_as_many_cells_as_its_head() -> None:
    failing = [FailureKind(method="GET", name=NASTY, failure=NASTY, count=n, first_s=0, last_s=1) for n in range(12)]
    phase = PhaseSummary(
        index=0, name=NASTY, kind="steady", model="open", start_s=0, end_s=9, response_ms=Latency(p50=1), target="5|6"
    )
    shares = {"share_baseline": 0.1, "share_run": 0.4, "change": 0.3, "interval": (0.2, 0.4)}
    suspect = Suspect(function="f|g", file="a.py", line=1, callers=["search (app.py)", NASTY], **shares)
    gate = GateResult(require=NASTY, status="inconclusive", reason=NASTY, phase=NASTY)
    text = summary_markdown(
        a_summary(failures=failing, phases=[phase], suspects=[suspect], gates=[gate], warnings=[NASTY])
    )
    rows = [line for line in text.splitlines() if line.startswith("|")]
    width = 0
    previous = ""
    for row in text.splitlines():
        if row.startswith("|"):
            cells = row.replace(r"\|", "").count("|")
            width = width if previous.startswith("|") else cells
            assert cells == width, row
        previous = row
    assert len(rows) == (2 + 1) + (2 + 1) + (2 + 10) + (2 + 1)
    assert "… and 2 more" in text
    assert "<img" not in text
    assert "P95 service" in text
    assert "| search (app.py) ← " in text


def test_a_run_of_nothing_has_no_table() -> None:
    text = summary_markdown(a_summary(verdict="broken", reasons=[]))
    assert "· 0 requests ·" in text
    assert "|" not in text
    assert re.findall(r"^### (.*)$", text, re.M) == ["Gates"]


def test_a_bench_has_no_phases_and_no_columns_of_what_was_not_looked_at() -> None:
    row = {
        **{"test": "a.py::test_a", "name": "test_a", "group": None, "rounds": 9, "iterations": 1, "taken": 0.0},
        **dict.fromkeys(("min_s", "mean_s", "median_s", "p95_s", "p99_s", "max_s", "stddev_s"), 0.001),
        **{"mean_interval_s": (0.001, 0.001), "ops": 1000.0},
    }
    gate = GateResult(require='bench("test_a").mean < 2ms', status="pass", observed=0.001, limit=0.002, unit="s")
    summary = a_summary(kind="bench", benchmarks=[BenchmarkFigures.model_validate(row)], gates=[gate])
    text = summary_markdown(summary)
    assert "1 benchmark of 9 rounds" in text
    assert "| Benchmark | Rounds | Min | Median | Mean | P95 | Max | Calls |" in text
    for page in (text, comment_markdown(summary)):
        assert "Phase" not in page
        assert "whole run" not in page

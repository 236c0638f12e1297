"""comment.md: one table, small enough for a pull request whatever the run holds."""

from __future__ import annotations

from typing import Any

import pytest

from harness.record.gate_result import GateResult
from harness.report.exporters.markdown import comment_markdown
from tests.support.summaries import a_summary

LARGEST = 65_536
"""Characters that GitHub takes."""


def comment(**more: Any) -> str:
    return comment_markdown(a_summary(**{"profile": "nightly", "duration_s": 300.0} | more))


def test_it_is_one_table_failed_gates_first_with_what_was_observed() -> None:
    gates = [
        GateResult(require="p50 < 1ms", status="pass", phase="steady", observed=0.5, unit="ms", limit=1),
        GateResult(
            require="p95 <= baseline + 10%",
            status="fail",
            phase="steady",
            endpoint="GET /x|y",
            observed=90,
            unit="ms",
            limit=55,
            baseline=50,
            interval=(85, 95),
        ),
    ]
    lines = comment(gates=gates, reasons=["p95 was 90 ms"]).replace("\u00a0", " ").splitlines()
    assert lines[0] == "<!-- harness flash_sale nightly -->"
    assert lines[2] == "**❌ fail**: flash\\_sale · nightly · 5 min · 0 requests · run r"
    rows = [line for line in lines if line.startswith("|")]
    assert rows[2:] == [
        "| ❌ fail | p95 &lt;= baseline + 10% on GET /x\\|y | steady | 90 ms | 85 ms … 95 ms | 55 ms | 50 ms |",
        "| ✅ pass | p50 &lt; 1ms | steady | 0.5 ms | – | 1 ms | – |",
    ]
    assert "- p95 was 90 ms" in lines


def test_it_says_how_many_gates_are_not_shown() -> None:
    text = comment(gates=[GateResult(require=f"p95 < {n}ms", status="pass") for n in range(1, 24)])
    assert sum(line.startswith("| ✅") for line in text.splitlines()) == 20
    assert "… and 3 more" in text


@pytest.mark.parametrize("character", ["&", "🛒", "|", "\x00", "@a", "#1", "@_", "www.", "://"])
def test_it_is_never_too_long_for_a_comment(character: str) -> None:
    long = character * 7_000
    gate = GateResult(require=long, status="fail", phase=long, endpoint=long, reason=long)
    text = comment(gates=[gate] * 200, reasons=[long] * 200, scenario=long, profile=long, run_id=long)
    assert len(text) < LARGEST / 2
    assert len(text.encode()) < LARGEST


def test_a_name_cannot_end_the_hidden_line() -> None:
    first = comment(scenario="a --> <script>").splitlines()[0]
    assert first == "<!-- harness a-script- nightly -->"

"""Annotations: GitHub's workflow commands, whatever the texts hold."""

from __future__ import annotations

from typing import Any

from harness.cli.github import workflow_commands
from harness.record.gate_result import GateResult
from tests.support.summaries import a_summary


def lines(*gates: GateResult, file: str | None = None, **more: Any) -> list[str]:
    return workflow_commands(a_summary(profile="nightly", gates=list(gates), **more), file)


def test_failed_gates_are_errors_undecided_ones_warnings_and_held_ones_silent() -> None:
    found = lines(
        GateResult(require="p50 < 1s", status="pass"),
        GateResult(require="p99 <= baseline", status="inconclusive", reason="there is no baseline"),
        GateResult(require="p95 < 50ms", status="fail", phase="steady", endpoint="GET /x", reason="p95 was 90 ms"),
        file="scenarios/flash_sale.py",
    )
    assert found == [
        "::error file=scenarios/flash_sale.py,title=p95 < 50ms on GET /x in steady%3A fail::p95 was 90 ms",
        "::warning file=scenarios/flash_sale.py,title=p99 <= baseline%3A inconclusive::there is no baseline",
    ]


def test_no_text_ends_its_line_or_begins_a_command_of_its_own() -> None:
    nasty = "a, b: 100%\r\n::add-mask::x\n::error::y\r\x1b[31m"
    (found,) = lines(GateResult(require=nasty, status="fail", reason=nasty), file=nasty)
    assert "\n" not in found
    assert "\r" not in found
    assert found.startswith("::error file=a%2C b%3A 100%25%0A%3A%3Aadd-mask%3A%3Ax%0A")
    assert found.endswith("::a, b: 100%25%0A::add-mask::x%0A::error::y␍")


def test_a_broken_run_is_an_error_with_its_reasons() -> None:
    assert lines(verdict="broken", reasons=["the target died", "a worker was lost"]) == [
        "::error title=the run is broken::the target died%0Aa worker was lost"
    ]


def test_annotations_beyond_the_limit_of_github_are_counted() -> None:
    found = lines(*[GateResult(require=f"p95 < {n}ms", status="fail", reason="slow") for n in range(1, 14)])
    assert len(found) == 10
    assert found[-1].startswith("::error title=4 more gates::")

"""The verdict: whether the run held, why, its most important figures, and warnings."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from harness.plan.duet import A
from harness.plan.phases import holds_one_level
from harness.record.explanation import Cause
from harness.record.phase_summary import PhaseSummary
from harness.record.summary import Summary
from harness.report.blocks import Block, Cell, Headline, Items
from harness.report.contents import Report, Section
from harness.report.formatting import counted, duration, ms, number, percent, rate, seconds

_Fact = tuple[str, str, str]
"""What it is, the figure, and a detail beside it."""


class Verdict(Section):
    id = "verdict"
    title = ""
    brief = True
    template = "verdict.html"

    def text(self, summary: Summary) -> Sequence[Block]:
        details = [duration(round(summary.duration_s)), amount(summary)]
        headline = Headline(
            Cell(summary.verdict, summary.verdict), (summary.scenario, summary.profile), details, summary.run_id
        )
        reasons = [Cell(reason) for reason in _own_reasons(summary)]
        return [headline, Items(reasons)] if reasons else [headline]

    def values(self, report: Report) -> dict[str, Any]:
        return {
            "ending": _ending(report),
            "reasons": _own_reasons(report.summary),
            "gates": [gate for gate in report.summary.gates if gate.status == report.summary.verdict != "pass"],
            "facts": _bench_facts(report.summary) if report.suite else _run_facts(report.summary),
            "warnings": new_warnings(report.summary),
        }


class Warnings(Section):
    """What could not be sampled, checked or kept. The HTML page lists warnings under the verdict."""

    id = "warnings"
    title = "Warnings"

    def text(self, summary: Summary) -> Sequence[Block]:
        warnings = [Cell(warning, "warning") for warning in new_warnings(summary)]
        return [Items(warnings)] if warnings else ()

    def values(self, report: Report) -> None:  # noqa: ARG002 - it lists them with the verdict
        return None


def new_warnings(summary: Summary) -> list[str]:
    """Each reason once, without those that the causes contain."""
    said = {*generator_limits(summary), *(cause.what.text for cause in _causes(summary))}
    return [each for each in dict.fromkeys(summary.warnings) if not any(cause in each for cause in said)]


def generator_limits(summary: Summary) -> list[str]:
    """What the causes say of why the load generator was the bottleneck."""
    return [cause.what.params["why"] for cause in _causes(summary) if cause.what.code == "cause-generator-limited"]


def _causes(summary: Summary) -> list[Cause]:
    return [cause for explanation in summary.explanations for cause in explanation.causes]


def _own_reasons(summary: Summary) -> list[str]:
    """The reasons of the verdict that are not those of a gate, which are listed with the gate."""
    of_gates = [gate.reason for gate in summary.gates if gate.reason]
    return [reason for reason in summary.reasons if not any(of_gate in reason for of_gate in of_gates)]


def amount(summary: Summary) -> str:
    """How much was measured: ``1,240 requests, 3 failed (0.24 %)``, ``12 benchmarks of 2,400 rounds``."""
    if summary.kind == "bench":
        rounds = sum(benchmark.rounds for benchmark in summary.benchmarks)
        return f"{counted(len(summary.benchmarks), 'benchmark')} of {counted(rounds, 'round')}"
    totals = summary.totals
    failed = f", {number(totals.failures)} failed ({percent(_failed_share(summary))})" if totals.failures else ""
    return f"{counted(totals.requests, 'request')}{failed}"


def main_phase(summary: Summary) -> PhaseSummary | None:
    """The phase a reader wants first: the first steady one, else the first measured, else the first.

    Of a duet, it is build B's.
    """
    phases = [phase for phase in summary.phases if phase.variant != A]
    measured = [phase for phase in phases if phase.measured]
    steady = [phase for phase in measured if holds_one_level(phase.kind)]
    return next(iter([*steady, *measured, *phases]), None)


def _ending(report: Report) -> str:
    run, suite = report.run, report.suite
    if suite is not None:
        return "interrupted" if suite.end and suite.end.interrupted else ""
    if run is None or run.journal.end_reason is None:
        killed = run is not None and any(len(second.table) for second in run.journal.seconds)
        return "recording stopped before the end of the run" if killed else ""
    return "interrupted" if run.journal.end_reason == "interrupted" else ""


def _failed_share(summary: Summary) -> float | None:
    totals = summary.totals
    return totals.failures / totals.requests if totals.requests else None


def _run_facts(summary: Summary) -> list[_Fact]:
    totals = summary.totals
    share = percent(_failed_share(summary)) if totals.requests else ""
    facts = [("Requests", number(totals.requests), ""), ("Failed", number(totals.failures), share)]
    if main := main_phase(summary):
        facts += [
            (f"Throughput · {main.title}", rate(main.throughput_rps), ""),
            (f"P95 · {main.title}", ms(main.response_ms.p95), ""),
            (f"P99 · {main.title}", ms(main.response_ms.p99), ""),
        ]
    for phase in summary.phases:
        if phase.steps:
            unit = "arrivals/s" if phase.model == "open" else "users"
            level = (number(phase.held), unit) if phase.held is not None else ("no step", "")
            facts.append((f"Level held · {phase.title}", *level))
    return facts


def _bench_facts(summary: Summary) -> list[_Fact]:
    rounds = sum(benchmark.rounds for benchmark in summary.benchmarks)
    facts = [("Benchmarks", number(len(summary.benchmarks)), ""), ("Rounds", number(rounds), "")]
    if slowest := max(summary.benchmarks, key=lambda benchmark: benchmark.mean_s, default=None):
        facts.append(("Slowest mean", seconds(slowest.mean_s), slowest.name))
    return facts

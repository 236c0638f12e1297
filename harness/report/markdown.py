"""``summary.md``: what a CI job's summary shows: the verdict, gates, phases, most frequent failures, suspects.

GitHub's dialect. Texts from outside are escaped, so that an endpoint's name can neither break a table nor bring HTML,
nor link to anything, nor call anybody: GitHub looks for ``@name``, ``#1`` and URLs in what has been rendered, where
backslashes are gone, so there a space of no width is put in (as Renovate and Dependabot do).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from harness.record.summary import BenchmarkFigures, GateResult, PhaseSummary, Summary
from harness.report import formatting

_MOST = 10
_LONGEST = 300
SIGNS = {"pass": "✅", "fail": "❌", "inconclusive": "❔", "broken": "⚠️"}
_SPECIAL = re.compile(r"([\\`*_\[\]#|~$])")
_LINKED = re.compile(r"@(?=\\?\w)|\\#(?=\d)|:(?=//)|(?<![^\W_])(?:www(?=\.)|GH-(?=\d))", re.IGNORECASE)
"""The beginning of what GitHub makes a link or a mention of; ``#`` has its backslash by then."""
_NO_WIDTH = "&#8203;"
_AT_START = re.compile(r"^([-+=]|\d+(?=[.)]))")


def escaped(text: str) -> str:
    """``text`` as text of one line: no Markdown, HTML, link or mention comes of it; cut where very long."""
    line = " ".join(formatting.plain(text).split())
    if len(line) > _LONGEST:
        line = line[: _LONGEST - 1] + "…"
    html = line.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    marked = _LINKED.sub(lambda found: found[0] + _NO_WIDTH, _SPECIAL.sub(r"\\\1", html))
    return _AT_START.sub(lambda found: f"{found[0]}\\" if found[0].isdigit() else f"\\{found[0]}", marked)


def summary_markdown(summary: Summary) -> str:
    """The whole file."""
    blocks = [
        f"## {SIGNS[summary.verdict]} {summary.verdict}: {escaped(summary.scenario)} · {escaped(summary.profile)}",
        "\n".join(f"- {escaped(reason)}" for reason in summary.reasons),
        _totals(summary),
        _gates(summary),
        _benchmarks(summary.benchmarks),
        _phases(summary.phases),
        _failures(summary),
        _suspects(summary),
        _warnings(summary),
    ]
    return "\n\n".join(block for block in blocks if block) + "\n"


def table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table of cells that are Markdown already; heads that begin with ``>`` stand to the right."""
    lines = [
        "| " + " | ".join(head.lstrip(">") for head in heads) + " |",
        "|" + "|".join(" ---: " if head.startswith(">") else " --- " for head in heads) + "|",
    ]
    return "\n".join(lines + ["| " + " | ".join(row) + " |" for row in rows])


def _totals(summary: Summary) -> str:
    return f"{measured(summary)}. Run {escaped(summary.run_id)}."


def measured(summary: Summary) -> str:
    """How much of what, in how long."""
    took = formatting.duration(summary.duration_s)
    if summary.kind == "bench":
        rounds = sum(benchmark.rounds for benchmark in summary.benchmarks)
        measured_ones = formatting.counted(len(summary.benchmarks), "benchmark")
        return f"{measured_ones} of {formatting.counted(rounds, 'round')} in {took}"
    totals = summary.totals
    share = totals.failures / totals.requests if totals.requests else None
    failed = f"{formatting.number(totals.failures)} failed ({formatting.percent(share)})"
    return f"{formatting.number(totals.requests)} requests in {took}, {failed}"


def _benchmarks(benchmarks: list[BenchmarkFigures]) -> str:
    if not benchmarks:
        return ""
    traced = any(row.peak_bytes is not None for row in benchmarks)
    compared = any(row.change is not None for row in benchmarks)
    rows = [
        (
            escaped(row.name),
            formatting.number(row.rounds),
            formatting.seconds(row.min_s),
            formatting.seconds(row.median_s),
            formatting.seconds(row.mean_s),
            *((formatting.change(row.change),) if compared else ()),
            formatting.seconds(row.p95_s),
            *((formatting.size(row.peak_bytes), formatting.number(row.allocations)) if traced else ()),
        )
        for row in benchmarks
    ]
    change = (">Mean, change",) if compared else ()
    memory = (">Peak", ">Allocations") if traced else ()
    heads = ("Benchmark", ">Rounds", ">Min", ">Median", ">Mean", *change, ">P95", *memory)
    return "### Benchmarks\n\n" + table(heads, rows)


def _gates(summary: Summary) -> str:
    if not summary.gates:
        return "No gate was judged."
    phased = summary.kind == "run"
    heads = ("Status", "Requirement", *(("Phase",) if phased else ()), ">Observed", ">95 % interval", ">Limit", "Why")
    return "### Gates\n\n" + table(
        heads,
        [
            (
                f"{SIGNS[gate.status]} {gate.status}",
                escaped(gate.asked),
                *((escaped(gate.phase or "whole run"),) if phased else ()),
                formatting.in_unit(gate.observed, gate.unit),
                formatting.interval(gate.interval, gate.unit),
                formatting.in_unit(gate.limit, gate.unit),
                escaped(gate.reason),
            )
            for gate in worst_first(summary.gates)
        ],
    )


def worst_first(gates: Sequence[GateResult]) -> list[GateResult]:
    """Failed gates, then those that could not be told, then those that held."""
    return sorted(gates, key=lambda gate: ("fail", "inconclusive", "pass").index(gate.status))


def _phases(phases: list[PhaseSummary]) -> str:
    if not phases:
        return ""
    open_model = any(phase.model == "open" for phase in phases)
    rows = []
    for phase in phases:
        held = f", held {formatting.number(phase.held)}" if phase.held is not None else ""
        service = (formatting.ms(phase.service_ms.p95),) if open_model else ()
        rows.append(
            (
                escaped(phase.name + ("" if phase.measured else " (not measured)")),
                escaped(f"{phase.goal}{held}"),
                formatting.number(phase.requests),
                formatting.percent(phase.error_rate),
                formatting.rate(phase.throughput_rps),
                formatting.ms(phase.response_ms.p50),
                formatting.ms(phase.response_ms.p95),
                *service,
                formatting.ms(phase.response_ms.p99),
                formatting.ms(phase.response_ms.max),
            )
        )
    service_head = (">P95 service",) if open_model else ()
    heads = ("Phase", "Goal", ">Requests", ">Failed", ">Throughput", ">P50", ">P95", *service_head, ">P99", ">Max")
    return "### Phases\n\n" + table(heads, rows)


def _failures(summary: Summary) -> str:
    if not summary.failures:
        return ""
    most = sorted(summary.failures, key=lambda kind: -kind.count)[:_MOST]
    rows = [
        (formatting.number(kind.count), escaped(f"{kind.method} {kind.name}"), escaped(kind.failure)) for kind in most
    ]
    more = len(summary.failures) - len(most)
    rest = f"\n\n… and {more} more kinds of failure in report.html." if more else ""
    return "### Failures\n\n" + table((">Count", "Endpoint", "Failure"), rows) + rest


def _suspects(summary: Summary) -> str:
    if not summary.suspects:
        return ""
    return "### Suspects\n\nFunctions whose share of the CPU grew against the baseline.\n\n" + table(
        ("Function", "File", ">Baseline", ">Run", ">Change", "Called by"),
        [
            (
                escaped(suspect.function),
                escaped(f"{suspect.file}:{suspect.line}" if suspect.line else suspect.file),
                formatting.percent(suspect.share_baseline),
                formatting.percent(suspect.share_run),
                formatting.points(suspect.change),
                escaped(" ← ".join(suspect.callers)) or "–",
            )
            for suspect in summary.suspects[:_MOST]
        ],
    )


def _warnings(summary: Summary) -> str:
    if not summary.warnings:
        return ""
    return "### Warnings\n\n" + "\n".join(f"- {escaped(warning)}" for warning in summary.warnings)

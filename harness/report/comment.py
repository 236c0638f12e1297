"""``comment.md``: one table of the gates, to be put below a pull request as it stands.

GitHub takes comments of up to 65,536 characters; whatever a run holds, this stays below half of it.
"""

from __future__ import annotations

import re

from harness.record.summary import Summary
from harness.report import formatting
from harness.report.markdown import SIGNS, escaped, measured, table, worst_first

_MOST = 20
_LONGEST = 100
_MOST_REASONS = 5
_UNMARKED = re.compile(r"[^A-Za-z0-9_.]+")


def comment_markdown(summary: Summary) -> str:
    """The whole file. Its first line, which nobody sees, tells a program which comment to put it in the place of."""
    marker = " ".join(_UNMARKED.sub("-", name)[:_LONGEST] for name in ("harness", summary.scenario, summary.profile))
    blocks = [
        f"<!-- {marker} -->",
        f"**{SIGNS[summary.verdict]} {summary.verdict}**: {_text(summary.scenario)} · {_text(summary.profile)}, "
        f"{_amount(summary)}",
        _gates(summary),
        "\n".join(f"- {escaped(reason)}" for reason in summary.reasons[:_MOST_REASONS]),
        f"Run {_text(summary.run_id)}",
    ]
    return "\n\n".join(block for block in blocks if block) + "\n"


def _amount(summary: Summary) -> str:
    if summary.kind == "bench":
        return measured(summary)
    totals = summary.totals
    share = totals.failures / totals.requests if totals.requests else None
    return (
        f"{formatting.number(totals.requests)} requests in {formatting.duration(summary.duration_s)}, "
        f"{formatting.percent(share)} failed"
    )


def _gates(summary: Summary) -> str:
    gates = summary.gates
    if not gates:
        return "No gate was judged."
    phased = summary.kind == "run"
    rows = [
        (
            SIGNS[gate.status],
            _text(gate.asked),
            *((_text(gate.phase or "whole run"),) if phased else ()),
            formatting.in_unit(gate.observed, gate.unit),
            formatting.interval(gate.interval, gate.unit),
            formatting.in_unit(gate.limit, gate.unit),
            formatting.in_unit(gate.baseline, gate.unit),
        )
        for gate in worst_first(gates)[:_MOST]
    ]
    drawn = table(
        ("", "Gate", *(("Phase",) if phased else ()), ">Observed", ">95 % interval", ">Limit", ">Baseline"), rows
    )
    more = len(gates) - len(rows)
    return f"{drawn}\n\n… and {more} more gates in the report." if more else drawn


def _text(text: str) -> str:
    return escaped(text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…")

"""Why gates failed and figures got worse: what rose, by how much, and the ranked causes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from harness.metrics.formatting import Estimate
from harness.record.explanation import Cause, Explanation
from harness.record.summary import Summary
from harness.report.blocks import Block, Cell, Items, Paragraph
from harness.report.contents import Report, Section
from harness.report.formatting import percent


class Explanations(Section):
    id = "causes"
    title = "Causes"
    brief = True
    template = "explanations.html"

    def text(self, summary: Summary) -> Sequence[Block]:
        blocks: list[Block] = []
        for same in alike(shown(summary)):
            blocks.append(Paragraph(f"{'; '.join(explanation.what.text for explanation in same)}:"))
            blocks.append(Items([Cell(line) for line in _lines(same[0])]))
        return blocks

    def values(self, report: Report) -> dict[str, Any] | None:
        found = alike(shown(report.summary))
        return {"groups": found, "part": part_of, "unexplained": unexplained_of} if found else None


def shown(summary: Summary) -> list[Explanation]:
    """Those that a reader can use: of failed gates, and of changes whose causes are known.

    What the verdict has said already is not said again.
    """
    said = "\n".join(summary.reasons)
    return [
        explanation
        for explanation in summary.explanations
        if explanation.gates or any(cause.what.text not in said for cause in explanation.causes)
    ]


def alike(explanations: Sequence[Explanation]) -> list[list[Explanation]]:
    """Explanations with the same causes together; those without a cause come last."""
    groups: dict[tuple[str, ...], list[Explanation]] = {}
    for explanation in sorted(explanations, key=lambda explanation: not explanation.causes):
        groups.setdefault(tuple(_lines(explanation)), []).append(explanation)
    return list(groups.values())


def _lines(explanation: Explanation) -> list[str]:
    lines = []
    for cause in explanation.causes:
        part = part_of(explanation, cause)
        evidence = "".join(f"; {notice.text}" for notice in cause.evidence)
        lines.append(f"{f'{part}: ' if part else ''}{cause.what.text}{evidence}")
    return [*lines, *filter(None, [unexplained_of(explanation)])]


def part_of(explanation: Explanation, cause: Cause) -> str:
    """The cause's part, and how certain it is; empty if neither is known."""
    part = ""
    if cause.part is not None and cause.share is not None and explanation.unit:
        part = f"{Estimate(cause.part, explanation.unit)} ({percent(cause.share.value)})"
    return part if cause.sure else ", ".join(filter(None, ["likely", part]))


def unexplained_of(explanation: Explanation) -> str:
    """What the causes leave; empty if that is nothing."""
    if not explanation.causes:
        return "nothing that was recorded explains it"
    left = explanation.unexplained
    if left is None or not explanation.unit or not left.high:
        return ""
    return f"{Estimate(left, explanation.unit)}: unexplained"

"""Why gates failed and figures got worse: what rose, by how much, and the ranked causes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlencode

from harness.metrics.formatting import Estimate
from harness.record.explanation import Cause, CauseKind, Explanation
from harness.record.plain_text import plain
from harness.record.summary import Summary
from harness.report.blocks import Block, Cell, Items, Paragraph
from harness.report.contents import Report, Section
from harness.report.formatting import percent
from harness.report.sections.checks import Checks
from harness.report.sections.contract import Contract
from harness.report.sections.errors import Errors
from harness.report.sections.faults import Faults
from harness.report.sections.requests import Requests
from harness.report.sections.waits import Waits

_SHOWN_IN: Mapping[CauseKind, type[Section]] = {
    "lock": Waits,
    "pool": Waits,
    "queue": Waits,
    "downstream": Waits,
    "sleep": Waits,
    "disk": Waits,
    "statements": Requests,
    "failures": Errors,
    "contract": Contract,
    "check": Checks,
    "fault": Faults,
}
"""Where the page shows more of a cause. Functions are found in flame graphs, by a script."""
_BY_PHASE = (Waits, Requests)
"""Sections that follow the selected phase."""


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
        return {"groups": found, "part": part_of, "unexplained": unexplained_of, "link": link_of} if found else None


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
    if left is None or not explanation.unit or not left.value:
        return ""
    return f"{Estimate(left, explanation.unit)}: unexplained"


def link_of(explanation: Explanation, cause: Cause) -> tuple[str, str] | None:
    """The address on the page that shows more of the cause, and what is there; None if no section does."""
    section = _SHOWN_IN.get(cause.kind)
    if section is None:
        return None
    phase = explanation.phase if section in _BY_PHASE else None
    selected = f"?{urlencode({'phase': plain(phase)})}" if phase else ""
    return f"#{section.id}{selected}", section.title.lower()

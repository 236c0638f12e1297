"""What happened to the target's processes: which died, and whose memory grew."""

from __future__ import annotations

from collections.abc import Sequence

from harness.record.summary import Summary
from harness.report.blocks import Block, Cell, Items, Paragraph
from harness.report.contents import Section

_MOST = 5
"""A target whose workers die again and again says the same again and again."""


class Findings(Section):
    id = "findings"
    title = "Findings"
    brief = True

    def text(self, summary: Summary) -> Sequence[Block]:
        causes = [cause.what.text for explanation in summary.explanations for cause in explanation.causes]
        said = "\n".join([*summary.reasons, *causes])
        new = [text for finding in summary.findings if (text := finding.notice.text) not in said]
        shown = [Cell(_sentence(text), "warning") for text in new[:_MOST]]
        if left := len(new) - len(shown):
            shown.append(Cell(f"And {left} more: see summary.json.", "dim"))
        blocks: list[Block] = [Items(shown)] if shown else []
        last_lines = next((end.last_lines for end in reversed(summary.ends) if end.last_lines), None)
        if last_lines:
            blocks += [Paragraph("The target's last output:"), Items([Cell(line, "dim") for line in last_lines])]
        return blocks


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}."

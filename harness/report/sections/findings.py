"""What happened to the target's processes: which died, and whose memory grew."""

from __future__ import annotations

from collections.abc import Sequence

from harness.record.summary import Summary
from harness.report.blocks import Block, Cell, Items
from harness.report.contents import Section


class Findings(Section):
    id = "findings"
    title = "Findings"
    brief = True

    def text(self, summary: Summary) -> Sequence[Block]:
        findings = [Cell(_sentence(finding.notice.text), "warning") for finding in summary.findings]
        return [Items(findings)] if findings else ()


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:]

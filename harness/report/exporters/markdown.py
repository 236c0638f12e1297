"""``summary.md``: every section that has text, for the summary page of a CI job and for notebooks."""

from __future__ import annotations

from harness.record.summary import Summary
from harness.report.contents import Exporter
from harness.report.markdown import Limits, document
from harness.report.sections import SECTIONS


def summary_markdown(summary: Summary) -> str:
    """The whole file."""
    return document(SECTIONS, summary, Limits(), headings=True)


MARKDOWN = Exporter("markdown", "summary.md", lambda report: summary_markdown(report.summary))

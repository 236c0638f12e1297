"""``summary.md``: every section that has text, for the summary page of a CI job and for notebooks.

``comment.md``: verdict and gates, to be posted on a pull request as it is. GitHub accepts comments of up to 65,536
characters. Whatever a run holds, this stays below half of that.
"""

from __future__ import annotations

import re

from harness.record.summary import Summary
from harness.report.contents import Exporter
from harness.report.markdown import Limits, document
from harness.report.sections import SECTIONS

_BRIEF = Limits(rows=20, items=5, cell=100, line=300)
_NOT_A_NAME = re.compile(r"[^A-Za-z0-9_.]+")


def summary_markdown(summary: Summary) -> str:
    """The whole of ``summary.md``."""
    return document(SECTIONS, summary, Limits(), headings=True)


def comment_markdown(summary: Summary) -> str:
    """The whole of ``comment.md``. Its first line is invisible and names the earlier comment that a CI job replaces."""
    names = ("harness", summary.scenario, summary.profile)
    marker = " ".join(_NOT_A_NAME.sub("-", name)[: _BRIEF.cell] for name in names)
    brief = (section for section in SECTIONS if section.brief)
    return f"<!-- {marker} -->\n\n{document(brief, summary, _BRIEF, headings=False)}"


MARKDOWN = Exporter("markdown", "summary.md", lambda report: summary_markdown(report.summary))
COMMENT = Exporter("comment", "comment.md", lambda report: comment_markdown(report.summary))

"""``summary.md``: every section that has text, for the summary page of a CI job and for notebooks.

``comment.md``: verdict and gates, to be posted on a pull request as it is. GitHub accepts comments of up to 65,536
characters. Whatever a run holds, this stays below half of that.

No text from a target becomes markup. GitHub looks for ``@name``, ``#1`` and URLs after rendering, when backslashes are
gone. Such texts therefore get a zero-width space, as Renovate and Dependabot do it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, assert_never

from harness.record.comparison import Comparison
from harness.record.history import History
from harness.record.plain_text import plain
from harness.record.summary import Summary
from harness.report.blocks import Block, Headline, Items, Paragraph, Table
from harness.report.contents import Exporter, Result, SectionOf
from harness.report.sections import COMPARISON_SECTIONS, HISTORY_SECTIONS, SECTIONS

_SIGNS = {"pass": "✅", "fail": "❌", "inconclusive": "❔", "broken": "⚠️"}
_SPACES = re.compile(r"[ \t\n]+")
"""Not the no-break space between a figure and its unit."""
_SPECIAL = re.compile(r"([\\`*_\[\]#|~$])")
_LINKED = re.compile(r"@(?=\\?\w)|\\#(?=\d)|:(?=//)|(?<![^\W_])(?:www(?=\.)|GH-(?=\d))", re.IGNORECASE)
"""The beginning of what GitHub makes a link or a mention of; ``#`` has its backslash by then."""
_NO_WIDTH = "&#8203;"
_NOT_A_NAME = re.compile(r"[^A-Za-z0-9_.]+")
_AT_START = re.compile(r"^(=|[-+](?!\d)|\d+(?=[.)](?:\s|$)))")


@dataclass(frozen=True, slots=True)
class Limits:
    """How much a document may hold: rows of a table, rows of a top list, items, characters of a cell and of a line."""

    rows: int | None = None
    top: int = 10
    items: int | None = None
    cell: int = 300
    line: int = 1000


def escaped(text: str, longest: int = 300) -> str:
    """``text`` as text of one line: no Markdown, HTML, link or mention comes of it; cut if very long."""
    line = _cut(_SPACES.sub(" ", plain(text)).strip(), longest)
    html = line.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    marked = _LINKED.sub(lambda found: found[0] + _NO_WIDTH, _SPECIAL.sub(r"\\\1", html))
    return _AT_START.sub(lambda found: f"{found[0]}\\" if found[0].isdigit() else f"\\{found[0]}", marked)


def _cut(line: str, longest: int) -> str:
    """The beginning of a line that is too long. The command that it would be cut in, between backticks, stays whole."""
    if len(line) <= longest:
        return line
    kept = line[: longest - 1]
    end = line.find("`", longest - 1, longest + longest // 2) if kept.count("`") % 2 else -1
    if end >= 0:
        kept = line[: end + 1]
    return line if kept == line else kept + "…"


def document(sections: Iterable[SectionOf[Result, Any]], summary: Result, limits: Limits, *, headings: bool) -> str:
    """The ``sections`` of ``summary`` one after another, those that have no text left out."""
    blocks: list[str] = []
    for section in sections:
        drawn = [_block(block, limits, headings=headings) for block in section.text(summary)]
        if drawn and headings and section.title:
            blocks.append(f"### {section.title}")
        blocks += drawn
    return "\n\n".join(block for block in blocks if block) + "\n"


def _block(block: Block, limits: Limits, *, headings: bool) -> str:
    match block:
        case Headline(verdict, names, details, run_id):
            what = " · ".join(escaped(name, limits.cell) for name in names)
            named = (f"run {run_id}",) if run_id else ()
            more = " · ".join(escaped(detail, limits.cell) for detail in (*details, *named))
            word = _signed(verdict.text, verdict.style)
            return f"## {word}: {what}\n\n{more}" if headings else f"**{word}**: {what} · {more}"
        case Paragraph(text):
            return escaped(text, limits.line)
        case Items(items):
            lines = (f"- {_signed(escaped(item.text, limits.line), item.style)}" for item in items[: limits.items])
            return "\n".join(lines)
        case Table():
            return _table(block, limits)
        case _:
            assert_never(block)


def _table(table: Table, limits: Limits) -> str:
    rows = table.rows[: limits.top if table.top else limits.rows]
    lines = [
        _row([column.title for column in table.columns]),
        "|" + "|".join(" --- " if column.text else " ---: " for column in table.columns) + "|",
        *(_row([_signed(escaped(cell.text, limits.cell), cell.style) for cell in row]) for row in rows),
    ]
    left = len(table.rows) - len(rows)
    return "\n".join(lines) + (f"\n\n… and {left} more in the report." if left else "")


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _signed(text: str, style: str | None) -> str:
    return f"{_SIGNS[style]} {text}" if style in _SIGNS else text


_BRIEF = Limits(rows=20, items=5, cell=100, line=300)


def summary_markdown(summary: Summary) -> str:
    """The whole of ``summary.md``."""
    return document(SECTIONS, summary, Limits(), headings=True)


def comment_markdown(summary: Summary) -> str:
    """The whole of ``comment.md``. Its first line is invisible and names the earlier comment that a CI job replaces."""
    names = ("harness", summary.scenario, summary.profile)
    marker = " ".join(_NOT_A_NAME.sub("-", name)[: _BRIEF.cell] for name in names)
    brief = (section for section in SECTIONS if section.brief)
    return f"<!-- {marker} -->\n\n{document(brief, summary, _BRIEF, headings=False)}"


def comparison_markdown(comparison: Comparison) -> str:
    """Two builds side by side."""
    return document(COMPARISON_SECTIONS, comparison, Limits(), headings=True)


def history_markdown(history: History) -> str:
    """A scenario's history."""
    return document(HISTORY_SECTIONS, history, Limits(), headings=True)


MARKDOWN = Exporter("markdown", "summary.md", lambda report: summary_markdown(report.summary))
COMMENT = Exporter("comment", "comment.md", lambda report: comment_markdown(report.summary))

"""The output formats of reports. A new one is a file here and a line in :data:`EXPORTERS`."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from harness.record.comparison import Comparison
from harness.record.history import History
from harness.report.contents import Exporter
from harness.report.exporters.html import HTML, comparison_html, history_html
from harness.report.exporters.junit import JUNIT
from harness.report.exporters.markdown import COMMENT, MARKDOWN, comparison_markdown, history_markdown

EXPORTERS: tuple[Exporter, ...] = (
    HTML,
    MARKDOWN,
    COMMENT,
    JUNIT,
)

COMPARISON_FORMS: Mapping[str, Callable[[Comparison], str]] = {
    ".html": comparison_html,
    ".md": comparison_markdown,
    ".json": Comparison.to_json,
}
"""How a comparison is written to a file, by its suffix."""

HISTORY_FORMS: Mapping[str, Callable[[History], str]] = {
    ".html": history_html,
    ".md": history_markdown,
    ".json": History.to_json,
}
"""How a history is written to a file, by its suffix."""

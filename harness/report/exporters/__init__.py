"""The forms in which a report is written. A new one is a file in this package and a line in :data:`EXPORTERS`."""

from __future__ import annotations

from harness.report.contents import Exporter
from harness.report.exporters.html import HTML
from harness.report.exporters.junit import JUNIT
from harness.report.exporters.markdown import COMMENT, MARKDOWN

EXPORTERS: tuple[Exporter, ...] = (
    HTML,
    MARKDOWN,
    COMMENT,
    JUNIT,
)

"""The one shape that all sections of a report have. Each section is a file in :mod:`harness.report.sections`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from harness.record.summary import Summary
from harness.report.blocks import Block
from harness.report.contents import Report


class Section:
    """One part of a report: what it says in text, and what it shows on the HTML page.

    A section needs only :meth:`text`: the page then draws the same blocks. One that shows more has a template of its
    own, which reads :meth:`values`, and may have scripts.
    """

    id: ClassVar[str]
    """Its anchor on the page."""
    title: ClassVar[str]
    brief: ClassVar[bool] = False
    """Whether a pull request comment has room for it."""
    template: ClassVar[str] = "blocks.html"
    scripts: ClassVar[tuple[str, ...]] = ()
    """The files in ``assets/`` that the page runs for it, in this order. Several sections may name the same one."""

    def text(self, summary: Summary) -> Sequence[Block]:  # noqa: ARG002 - sections override it
        """What Markdown and the terminal show; nothing where the section has no text or the run no such data."""
        return ()

    def values(self, report: Report) -> dict[str, Any] | None:
        """What the template reads, besides ``summary`` and ``section``; None leaves the section out of the page.

        ``data``, where given, is embedded as JSON for the scripts, under the id ``<id>-data``.
        """
        blocks = self.text(report.summary)
        return {"blocks": blocks} if blocks else None

"""The registry of sections: each has its files, and one that only has text is shown in every form."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path

from rich.console import Console

from harness.cli.outcome import drawn
from harness.record.summary import Summary
from harness.report.blocks import Block, Cell, Column, Items, Paragraph, table
from harness.report.contents import Section, read_report
from harness.report.exporters.html import page_section
from harness.report.exporters.markdown import Limits, document
from harness.report.sections import SECTIONS
from tests.support.plans import steady
from tests.support.recordings import record_run
from tests.support.reported import draw


class Costs(Section):
    """As an engineer would add one: text alone."""

    id = "costs"
    title = "Costs"

    def text(self, summary: Summary) -> Sequence[Block]:
        columns: list[Column[str]] = [
            Column("Status", lambda _: Cell("fail", "fail"), text=True),
            Column("What", lambda name: name, text=True),
            Column("Price", lambda _: "3 €", from_width=50),
        ]
        return [Paragraph("Prices <b>"), table(columns, ["disk | tape", summary.scenario]), Items([Cell("cheap")])]


def test_every_section_has_a_name_a_template_and_its_scripts() -> None:
    assert len({section.id for section in SECTIONS}) == len(SECTIONS)
    for section in SECTIONS:
        assert (files("harness.report") / "templates" / section.template).is_file()
        assert all((files("harness.report") / "assets" / script).is_file() for script in section.scripts)


def test_a_section_of_text_is_shown_on_page_in_markdown_and_on_a_terminal(tmp_path: Path) -> None:
    report = read_report(draw(record_run(tmp_path, phases=[steady(5, 2)])))
    page = page_section(Costs(), report)
    assert page is not None
    assert '<section id="costs">' in page.html
    assert "Prices &lt;b&gt;" in page.html
    assert page.html.count("<td") == 6
    assert "<li>cheap</li>" in page.html

    text = document([Costs()], report.summary, Limits(), headings=True)
    assert text.startswith("### Costs\n\nPrices &lt;b&gt;\n\n| Status | What | Price |\n")
    assert "| ❌ fail | disk \\| tape | 3\u00a0€ |".replace("\u00a0", " ") in text

    for width, shown in ((80, True), (40, False)):
        console = Console(width=width, record=True, file=(tmp_path / "out").open("w"))
        for line in drawn(Costs(), report.summary, width):
            console.print(line)
        assert ("3 €" in console.export_text()) == shown

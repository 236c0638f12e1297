"""Sections of a report on a terminal, each as wide as the terminal allows."""

from __future__ import annotations

from collections.abc import Iterator
from typing import assert_never

from rich import table as rich_table
from rich.console import RenderableType
from rich.padding import Padding
from rich.text import Text

from harness.api.plain_output import one_line
from harness.record.summary import Summary
from harness.report.blocks import WIDE, Block, Cell, Headline, Items, Paragraph, Style, Table
from harness.report.contents import Section

_MARKS: dict[Style, str] = {"pass": "✔", "fail": "✖", "inconclusive": "?", "warning": "!"}
_STYLES: dict[Style, str] = {
    "pass": "green",
    "fail": "bold red",
    "inconclusive": "yellow",
    "broken": "bold magenta",
    "warning": "yellow",
    "bad": "red",
    "dim": "dim",
}
_TOP = 5
_LONGEST_CELL = 300
_LONGEST_LINE = 600


def drawn(section: Section, summary: Summary, width: int) -> list[RenderableType]:
    """What a terminal of ``width`` characters shows of ``section``; nothing if it has no text."""
    blocks = section.text(summary)
    lines = [line for block in blocks for line in _block(block, width)]
    # Other tables are introduced by their heads.
    titled = blocks and section.title and (not isinstance(blocks[0], Table) or blocks[0].top)
    return [Text(section.title, style="bold"), *lines] if titled else lines


def _block(block: Block, width: int) -> Iterator[RenderableType]:
    match block:
        case Headline(verdict, names, details):
            text = Text.assemble(("verdict: ", "bold"), (verdict, f"{_STYLES[verdict]} reverse"))
            yield text.append("  " + " · ".join(_cut(part, _LONGEST_CELL) for part in (*names, *details)))
        case Paragraph(text):
            yield Text(_cut(text, _LONGEST_LINE))
        case Items(items):
            yield from map(_item, items)
        case Table():
            yield from _table(block, width)
        case _:
            assert_never(block)


def _item(item: Cell) -> Padding:
    text = Text(_cut(item.text, _LONGEST_LINE))
    if item.style in _MARKS:
        text = Text.assemble((f"{_MARKS[item.style]} ", _STYLES[item.style]), text)
    return Padding(text, (0, 0, 0, 2), expand=False)


def _table(table: Table, width: int) -> Iterator[RenderableType]:
    shown = [index for index, column in enumerate(table.columns) if width >= column.from_width]
    rows = table.rows[: _TOP if table.top else None]
    lines = rich_table.Table(box=None, header_style="dim", pad_edge=False, padding=(0, 2, 0, 0))
    for index in shown:
        column = table.columns[index]
        if column.text:
            lines.add_column(column.title, overflow="fold")
        else:
            lines.add_column(column.title, justify="right", no_wrap=True)
    for row in rows:
        lines.add_row(*(_cell(row[index], width) for index in shown))
    yield lines
    if left := len(table.rows) - len(rows):
        yield Text(f"  and {left} more in the report")


def _cell(cell: Cell, width: int) -> Text:
    # Text, not a string: rich would take brackets in a name for markup.
    text = _cut(cell.text, _LONGEST_CELL)
    if cell.style is None:
        return Text(text)
    mark = _MARKS.get(cell.style)
    return Text(text if mark is None else f"{mark} {text}" if width >= WIDE else mark, style=_STYLES[cell.style])


def _cut(text: str, longest: int) -> str:
    """Text from outside as one harmless line, cut if very long."""
    line = one_line(text)
    return line if len(line) <= longest else line[: longest - 1] + "…"

"""Shows how a run went: the report's sections as text on standard error, and where to see more.

With ``--json``, ``summary.json`` goes to standard output as well.
"""

from __future__ import annotations

import contextlib
import io
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, assert_never

import click
from rich import table as rich_table
from rich.console import RenderableType
from rich.padding import Padding
from rich.text import Text

from harness.cli.github import as_text_only, in_github_job, report_to_github
from harness.cli.std_streams import complain
from harness.cli.terminal import Terminal
from harness.errors import ExitCode
from harness.messages import Option, message
from harness.plan.config_source import shown_path
from harness.record.plain_text import no_commands, one_line
from harness.record.run_folder import RunFolder
from harness.record.summary import Summary
from harness.report.blocks import WIDE, Block, Cell, Headline, Items, Paragraph, Style, Table
from harness.report.contents import Result, SectionOf
from harness.report.sections import SECTIONS

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
_LONGEST_LINE = 1000


def show_outcome(folder: RunFolder, summary: Summary, *, as_json: bool, inconclusive: str | None = None) -> int:
    """Write how the run went to standard error and, with ``as_json``, its summary to standard output.

    Returns the command's exit code: that of the verdict, unless ``inconclusive`` is "pass", "warn" or "fail" and the
    verdict is inconclusive. An interrupted run keeps its own, and with "warn" so does one after a whole window of
    inconclusive ones.
    """
    show_sections(SECTIONS, summary, _files(folder, summary))
    if in_github_job():
        with contextlib.suppress(OSError):
            report_to_github(folder, summary)
    if as_json:
        click.echo(summary.to_json(), nl=False)
    if inconclusive is None or summary.exit_code != ExitCode.INCONCLUSIVE:
        return summary.exit_code
    if inconclusive == "warn":
        if any(notice.code == "inconclusive-for-long" for notice in summary.notices):
            complain(str(message("inconclusive-counts-no-longer", option=Option("inconclusive", "warn"))))
            return summary.exit_code
        complain(str(message("inconclusive-counts-as-pass", option=Option("inconclusive", "warn"))))
    if inconclusive == "fail":
        complain(str(message("inconclusive-counts-as-fail", option=Option("inconclusive", "fail"))))
        return ExitCode.FAIL
    return ExitCode.PASS


def show_sections(sections: Iterable[SectionOf[Result, Any]], result: Result, files: Sequence[Text]) -> None:
    """Write what ``sections`` say of ``result`` to standard error, and the ``files`` with more."""
    terminal = Terminal()
    # Into memory first: if nobody reads standard error, rich would exit with code 1, as if a gate had failed.
    output = io.StringIO()
    console = Terminal(file=output, force_terminal=terminal.is_terminal, width=terminal.width)
    parts: list[Sequence[RenderableType]] = [drawn(section, result, terminal.width) for section in sections]
    for lines in [*parts, files]:
        if lines and output.tell():
            console.print()
        for line in lines:
            # A path must stay in one piece to be copied. Everything else wraps at the terminal's edge.
            console.print(line, soft_wrap=isinstance(line, Text) and line.no_wrap is True)
    # Rich fills wrapped lines with spaces up to the width.
    text = "\n".join(line.rstrip(" ") for line in output.getvalue().split("\n"))
    # If nobody reads it, or its disk is full, the exit code and the run folder still show how the run went.
    with contextlib.suppress(OSError):
        shown = as_text_only(text) if in_github_job() else no_commands(text)
        print(shown, end="", file=sys.stderr, flush=True)


def _files(folder: RunFolder, summary: Summary) -> list[Text]:
    """The report and, if the run is broken, its logs."""
    paths = [("report", folder.report)]
    if summary.verdict == "broken":
        paths += [("log", folder.log)] if folder.log.exists() else []
        paths += folder.target_logs.items()
    return [file_line(name, path) for name, path in paths]


def file_line(name: str, path: Path) -> Text:
    """Where to see more, in one piece to be copied."""
    return Text.assemble((f"{name:<6}  ", "bold"), shown_path(path), no_wrap=True)


def drawn(section: SectionOf[Result, Any], summary: Result, width: int) -> list[RenderableType]:
    """What a terminal of ``width`` characters shows of ``section``; nothing if it has no text."""
    blocks = section.text(summary)
    lines = [line for block in blocks for line in _block(block, width)]
    # Other tables are introduced by their heads.
    titled = blocks and section.title and (not isinstance(blocks[0], Table) or blocks[0].top)
    return [Text(section.title, style="bold"), *lines] if titled else lines


def _block(block: Block, width: int) -> Iterator[RenderableType]:
    match block:
        case Headline(verdict, names, details):
            assert verdict.style is not None
            text = Text.assemble(("verdict: ", "bold"), (verdict.text, f"{_STYLES[verdict.style]} reverse"))
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

"""How a run went, as its last output: the report's sections as text on standard error, and where to see more.

With ``--json``, ``summary.json`` goes to standard output as well.
"""

from __future__ import annotations

import contextlib
import io
import sys
from collections.abc import Sequence

import click
from rich.console import RenderableType
from rich.text import Text

from harness.cli.github import as_text_only, in_github_job, report_to_github
from harness.cli.terminal import Terminal
from harness.cli.terminal_blocks import drawn
from harness.plan.config_source import shown_path
from harness.record.plain_text import no_commands
from harness.record.run_folder import RunFolder
from harness.record.summary import Summary
from harness.report.sections import SECTIONS


def show_outcome(folder: RunFolder, summary: Summary, *, as_json: bool) -> None:
    """Write how the run went to standard error and, with ``as_json``, its summary to standard output."""
    terminal = Terminal()
    # Into memory first: if nobody reads standard error, rich would exit with code 1, as if a gate had failed.
    output = io.StringIO()
    console = Terminal(file=output, force_terminal=terminal.is_terminal, width=terminal.width)
    parts: list[Sequence[RenderableType]] = [drawn(section, summary, terminal.width) for section in SECTIONS]
    for lines in [*parts, _files(folder, summary)]:
        if lines and output.tell():
            console.print()
        for line in lines:
            # A path must stay in one piece to be copied. Everything else wraps at the terminal's edge.
            console.print(line, soft_wrap=isinstance(line, Text) and line.no_wrap is True)
    # Rich fills wrapped lines with spaces up to the width.
    text = "\n".join(line.rstrip(" ") for line in output.getvalue().split("\n"))
    # If nobody reads it, or its disk is full, the exit code and the run folder still show how the run went.
    with contextlib.suppress(OSError):
        if in_github_job():
            print(as_text_only(text), end="", file=sys.stderr, flush=True)
            report_to_github(folder, summary)
        else:
            print(no_commands(text), end="", file=sys.stderr, flush=True)
    if as_json:
        click.echo(summary.to_json(), nl=False)


def _files(folder: RunFolder, summary: Summary) -> list[Text]:
    """The report and, if the run is broken, its logs."""
    paths = [("report", folder.report)]
    if summary.verdict == "broken":
        paths += [(name, path) for name, path in (("log", folder.log), ("target", folder.target_log)) if path.exists()]
    return [Text.assemble((f"{name:<7} ", "bold"), shown_path(path), no_wrap=True) for name, path in paths]

"""``harness compare``: two builds side by side, each measured by one or more runs."""

from __future__ import annotations

from pathlib import Path

import click

from harness.cli import options
from harness.errors import HarnessError
from harness.messages import Option


@click.command()
@click.argument("a")
@click.argument("b")
@click.option(
    "--margin",
    multiple=True,
    metavar="[METRIC=]N%",
    help="How much worse a figure may get before it matters. Default: 5%, of the error rate 0.5 percentage points.",
)
@click.option(
    "--report",
    "files",
    multiple=True,
    type=Path,
    metavar="FILE",
    help="Write the comparison to FILE: .html, .md or .json.",
)
@options.out
@options.as_json
def command(a: str, b: str, margin: tuple[str, ...], files: tuple[Path, ...], out: Path, as_json: bool) -> int:
    """Compare build B with build A by phase, endpoint and metric.

    A and B are each a run folder, a run ID, "latest", or several of these joined by commas: runs of one build.
    "baseline" stands for the baseline of the other side. Benches are compared in the same way.

    Exit codes: 0 not worse, 1 worse, 2 wrong input, 3 inconclusive.
    """
    from harness.analysis.comparison import compared
    from harness.cli.outcome import file_line, show_sections
    from harness.control.measured_runs import find_measured
    from harness.plan.margins import parse_margins
    from harness.record.run_folder import write_text
    from harness.report.exporters import COMPARISON_FORMS
    from harness.report.sections import COMPARISON_SECTIONS

    for file in files:
        if file.suffix not in COMPARISON_FORMS:
            raise HarnessError("compare-report-suffix", where=Option("report", file), known=[*COMPARISON_FORMS])
        if not file.parent.is_dir():
            raise HarnessError("compare-report-folder", where=Option("report", file))
    comparison = compared(*find_measured(_names(a), _names(b), out), parse_margins(margin))
    for file in files:
        write_text(file, COMPARISON_FORMS[file.suffix](comparison))
    show_sections(COMPARISON_SECTIONS, comparison, [file_line("report", file) for file in files])
    if as_json:
        click.echo(comparison.to_json(), nl=False)
    return comparison.exit_code


def _names(given: str) -> list[str]:
    """The runs of one build; a folder may have a comma in its name."""
    return [given] if Path(given).exists() else [name for name in given.split(",") if name]

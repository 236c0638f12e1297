"""``harness compare``: two builds side by side, each measured by one or more runs."""

from __future__ import annotations

from pathlib import Path

import click

from harness.cli import options


@click.command()
@click.argument("a")
@click.argument("b")
@click.option(
    "--margin",
    multiple=True,
    metavar="[METRIC=]N%",
    help="How much worse a figure may get before it matters. Default: 5%; for the error rate, 0.5 percentage points.",
)
@options.report_files("the comparison")
@options.out
@options.as_json
def command(a: str, b: str, margin: tuple[str, ...], files: tuple[Path, ...], out: Path, as_json: bool) -> int:
    """Compare build B with build A by phase, endpoint and metric.

    A and B are each a run folder, a run ID, "latest", or several of these joined by commas: runs of one build.
    "baseline" means the baseline of the other side. Benches are compared in the same way.

    \b
    Exit code: 0 not worse, 1 worse, 2 wrong input, 3 inconclusive.

    \b
      harness compare baseline latest
      harness compare RUN1,RUN2,RUN3 RUN4,RUN5,RUN6 --margin 10% --report comparison.html
    """
    from harness.api.compare import compare_builds
    from harness.cli.outcome import show_sections
    from harness.cli.report_files import check_report_files, write_report_files
    from harness.report.exporters import COMPARISON_FORMS
    from harness.report.sections import COMPARISON_SECTIONS

    check_report_files(files, COMPARISON_FORMS)
    comparison = compare_builds(_names(a), _names(b), margin, out)
    written = write_report_files(files, COMPARISON_FORMS, comparison)
    show_sections(COMPARISON_SECTIONS, comparison, written)
    if as_json:
        click.echo(comparison.to_json(), nl=False)
    return comparison.exit_code


def _names(given: str) -> list[str]:
    """The runs of one build; a folder may have a comma in its name."""
    return [given] if Path(given).exists() else [name for name in given.split(",") if name]

"""Options that several commands share."""

from __future__ import annotations

from pathlib import Path

import click


class WholeNumber(click.IntRange):
    """click's, with words for people: it says of other texts that they are no valid "integer range"."""

    name = "whole number"


out = click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("reports"),
    show_default=True,
    help="The folder that run folders are made in.",
)
as_json = click.option("--json", "as_json", is_flag=True, help="Print JSON on standard output, and nothing else there.")
secret_file = click.option(
    "--secret-file",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="The secret that workers join with. Default: HARNESS_SECRET.",
)

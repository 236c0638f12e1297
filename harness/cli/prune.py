"""``harness prune``: remove old runs, never one of a baseline."""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import click

from harness.cli import options

if TYPE_CHECKING:
    from harness.store.retention import KnownRun

_AGE = re.compile(r"(\d{1,5})([hdw])")
_UNITS = {"h": timedelta(hours=1), "d": timedelta(days=1), "w": timedelta(weeks=1)}


class _Age(click.ParamType[timedelta]):
    """``36h``, ``90d``, ``12w``."""

    name = "age"

    def convert(self, value: str | timedelta, param: click.Parameter | None, ctx: click.Context | None) -> timedelta:
        if isinstance(value, timedelta):
            return value
        found = _AGE.fullmatch(value.strip())
        if found is None:
            self.fail(f"{value!r} is no age: write hours, days or weeks, as 36h, 90d or 12w.", param, ctx)
        return int(found[1]) * _UNITS[found[2]]


@click.command()
@click.option(
    "--keep",
    type=options.WholeNumber(min=0),
    required=True,
    metavar="N",
    help="How many runs of each scenario and profile stay: the latest.",
)
@click.option(
    "--keep-failed",
    type=_Age(),
    default=timedelta(0),
    metavar="AGE",
    help="Failed, broken and killed runs younger than this stay besides: 36h, 90d, 12w.",
)
@click.option(
    "--gone",
    metavar="PLACE",
    help="A place of copies that is no more, or whose copies somebody deleted: those not found there keep no run.",
)
@click.option("--dry-run", is_flag=True, help="Only say what would be removed.")
@options.out
def command(keep: int, keep_failed: timedelta, gone: str | None, dry_run: bool, out: Path) -> None:
    """Remove old runs: their folders, their copies (HARNESS_ARTIFACTS) and their rows of the store.

    Never removed: a run of a baseline, and one that is going on.

    \b
      harness prune --keep 30 --keep-failed 90d --dry-run
    """
    from harness.control.prune import prune
    from harness.control.run_lookup import existing_store
    from harness.errors import ManyProblemsError
    from harness.store.retention import Policy

    def told(run: KnownRun) -> None:
        click.echo(f"{'would remove' if dry_run else 'removed'} {_described(run)}", err=True)

    with existing_store(out) as store:
        done = prune(out, store, Policy(keep, keep_failed), gone=gone, dry_run=dry_run, told=told)
    stay = [f"{done.baselines} of them as part of a baseline"] if done.baselines else []
    stay += [f"{done.running} going on"] if done.running else []
    click.echo(
        f"{len(done.removed)} {'would go' if dry_run else 'removed'}, {done.kept} kept"
        + (f" ({', '.join(stay)})" if stay else ""),
        err=True,
    )
    if done.faults:
        raise done.faults[0] if len(done.faults) == 1 else ManyProblemsError(done.faults)


def _described(run: KnownRun) -> str:
    from harness.store.artifacts import shown

    parts = [
        part
        for part, there in (
            ("folder" if len(run.folders) == 1 else f"{len(run.folders)} folders", bool(run.folders)),
            (f"copy {shown(run.artifact or '')}", run.artifact is not None),
            ("store", run.stored),
        )
        if there
    ]
    return f"{run.run_id} ({run.verdict or 'killed'}): {', '.join(parts)}"

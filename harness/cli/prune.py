"""``harness prune``: remove old runs, never one of a baseline."""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import click

from harness import control
from harness.cli import options
from harness.cli.std_streams import say
from harness.errors import ManyProblemsError

if TYPE_CHECKING:
    from harness.control.prune import KnownRun

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
            self.fail(f"{value!r} is not an age: write hours, days or weeks, such as 36h, 90d or 12w.", param, ctx)
        return int(found[1]) * _UNITS[found[2]]


@click.command()
@click.option(
    "--keep",
    type=options.WholeNumber(min=0),
    required=True,
    metavar="N",
    help="Keep the latest N runs of each scenario and profile.",
)
@click.option(
    "--keep-failed",
    type=_Age(),
    default=timedelta(0),
    metavar="AGE",
    help="Also keep failed, broken and killed runs younger than this: 36h, 90d, 12w.",
)
@click.option("--dry-run", is_flag=True, help="Show what would be removed, but remove nothing.")
@options.out
def command(keep: int, keep_failed: timedelta, dry_run: bool, out: Path) -> None:
    """Remove old runs: their folders on this machine, and their rows in the store.

    The store keeps the figures of the latest 200 runs of each scenario, profile and environment for `harness history`.
    Runs of a baseline and running runs are never removed. Copies (HARNESS_ARTIFACTS) are not removed either: the
    storage decides how long they are kept, for example with an S3 lifecycle rule.

    \b
      harness prune --keep 30 --keep-failed 90d --dry-run
    """

    def report(run: KnownRun) -> None:
        say(f"{'would remove' if dry_run else 'removed'} {_described(run)}")

    with control.run_lookup.existing_store(out) as store:
        result = control.prune.prune(out, store, keep=keep, keep_failed=keep_failed, dry_run=dry_run, on_removed=report)
    reasons = [f"{result.baselines} of them for a baseline"] if result.baselines else []
    reasons += [f"{result.running} still running"] if result.running else []
    say(
        f"{len(result.removed)} {'would be removed' if dry_run else 'removed'}, {result.kept} kept"
        + (f" ({', '.join(reasons)})" if reasons else "")
    )
    if result.errors:
        raise result.errors[0] if len(result.errors) == 1 else ManyProblemsError(result.errors)


def _described(run: KnownRun) -> str:
    parts = ["folder" if len(run.folders) == 1 else f"{len(run.folders)} folders"] if run.folders else []
    parts += ["store"] if run.stored else []
    end = run.verdict or ("killed" if run.begun else "never began")
    return f"{run.run_id} ({end}): {', '.join(parts)}"

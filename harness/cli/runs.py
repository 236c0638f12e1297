"""``harness runs``: list what the store holds."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click
from rich.table import Table
from rich.text import Text

from harness.cli import options
from harness.cli.std_streams import print_json
from harness.cli.terminal import Terminal
from harness.control.run_lookup import existing_store, stored_runs

if TYPE_CHECKING:
    from harness.store import ListedRun

_WIDE = 100
"""Characters in which all columns have room."""
_DETAILS = ("started (UTC)", "environment", "folder")


@click.command()
@options.stored_scenario(required=False)
@click.option(
    "--limit",
    type=options.WholeNumber(min=1),
    default=20,
    show_default=True,
    metavar="N",
    help="List the N latest runs.",
)
@options.out
@options.as_json
def command(scenario: str | None, limit: int, out: Path, as_json: bool) -> None:
    """List the runs in the store, the latest first: all, or those of SCENARIO.

    Later runs are compared with the runs that have an entry under "baseline", even if their folders are no longer on
    this machine.
    """
    with existing_store(out) as store:
        runs = store.list_runs(most=limit) if scenario is None else stored_runs(store, scenario, limit)
        shown = store.shown
    if as_json:
        print_json([_described(run) for run in runs])
    elif runs:
        terminal = Terminal()
        terminal.print(_table(runs, terminal.width))
    else:
        Terminal().print(f"No runs in {shown}.")


def _table(runs: list[ListedRun], width: int) -> Table:
    """In a narrow terminal, what the id says and what is seldom asked for is left out, so that a run has one line."""
    wide = width >= _WIDE
    columns = ["run", "started (UTC)", "environment", "verdict", "commit", "baseline", "folder"]
    kept = [name for name in columns if wide or name not in _DETAILS]
    table = Table(*kept, box=None, padding=(0, 2, 0, 0))
    for run in runs:
        started = f"{run.started_at:%Y-%m-%d %H:%M}" if run.started_at else "?"
        cells = (run.run_id, started, run.fingerprint, run.verdict, run.commit or "–", run.baseline or "")
        here = "here" if _is_here(run.folder) else "not here"
        table.add_row(*(Text(cell) for name, cell in zip(columns, (*cells, here), strict=True) if name in kept))
    table.columns[0].overflow = "fold"
    return table


def _described(run: ListedRun) -> dict[str, object]:
    return asdict(run) | {"folder": str(run.folder), "folder_exists": _is_here(run.folder)}


def _is_here(folder: Path) -> bool:
    try:
        return folder.is_dir()
    except (OSError, ValueError):  # a name that cannot be a path here
        return False

"""``harness baseline``: manage the runs that later runs are compared with.

Text for people goes to standard error. With ``--json``, the same goes to standard output as JSON.
"""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click
from rich.table import Table
from rich.text import Text

from harness.cli import options
from harness.cli.baseline_set import accept, set_
from harness.cli.baseline_shown import described, draw, name_of
from harness.cli.std_streams import print_json, say
from harness.cli.terminal import Terminal
from harness.control.run_lookup import existing_store
from harness.errors import HarnessError
from harness.messages import Option

if TYPE_CHECKING:
    from harness.store import BaselineEntry, Store

_profile = click.option("--profile", metavar="NAME", help="Only baselines of this profile.")
_fingerprint = click.option("--fingerprint", help="Only baselines of this environment.")


@click.group()
def command() -> None:
    """Manage the runs that later runs are compared with.

    A baseline belongs to one scenario, one profile and one environment (machine, versions, kind of target). Gates
    such as "p95 <= baseline + 10%" compare with it.
    """


command.add_command(set_)
command.add_command(accept)


@command.command("list")
@options.out
@options.as_json
def list_(out: Path, as_json: bool) -> None:
    """List all baselines."""
    with existing_store(out) as store:
        entries = store.list_baselines()
        shown = store.shown
    if as_json:
        print_json([asdict(entry) for entry in entries])
        return
    console = Terminal()
    if not entries:
        console.print(f"No baseline in {shown}. Run `harness baseline set latest --window 10` after a run.")
        return
    table = Table("scenario", "profile", "environment", "runs", "kind", "latest run (UTC)", "set on")
    for entry in entries:
        kind = f"window of {entry.window}" if entry.window else "pinned"
        what = (entry.scenario, entry.profile, entry.fingerprint, str(len(entry.run_ids)), kind)
        latest = f"{entry.started_at:%Y-%m-%d %H:%M}" if entry.started_at else "–"
        table.add_row(*map(Text, what), latest, f"{entry.set_at:%Y-%m-%d}")
    console.print(table)


@command.command()
@options.stored_scenario(required=False)
@_profile
@_fingerprint
@options.out
@options.as_json
def show(scenario: str | None, profile: str | None, fingerprint: str | None, out: Path, as_json: bool) -> None:
    """Show the figures of the baselines of SCENARIO (default: all)."""
    with existing_store(out) as store:
        entries = _chosen(store, scenario, profile, fingerprint)
        found = (store.baseline_for(entry.scenario, entry.profile, entry.fingerprint) for entry in entries)
        baselines = [baseline for baseline in found if baseline is not None]
        verdicts = store.verdicts(run.run_id for baseline in baselines for run in baseline.runs)
    if as_json:
        print_json([described(baseline, verdicts) for baseline in baselines])
        return
    console = Terminal()
    for baseline in baselines:
        draw(console, baseline, verdicts)


@command.command()
@options.stored_scenario()
@_profile
@_fingerprint
@click.option("--run", "run_id", metavar="RUN", help="Remove only this run from the baseline.")
@options.out
@options.as_json
def rm(
    scenario: str, profile: str | None, fingerprint: str | None, run_id: str | None, out: Path, as_json: bool
) -> None:
    """Remove the baseline of SCENARIO. Run folders stay.

    If it has several, choose one with --profile and --fingerprint.
    """
    with existing_store(out) as store:
        entries = _chosen(store, scenario, profile, fingerprint)
        if len(entries) > 1:
            raise HarnessError(
                "baseline-ambiguous",
                where=store.shown,
                scenario=scenario,
                count=len(entries),
                profile=Option("profile"),
                fingerprint=Option("fingerprint"),
                choices=[f"{entry.profile} {entry.fingerprint}" for entry in entries],
            )
        entry = entries[0]
        removed = store.remove_baseline(entry.scenario, entry.profile, entry.fingerprint, run_id)
        after = [
            now for now in store.list_baselines(entry.scenario, entry.profile) if now.fingerprint == entry.fingerprint
        ]
        if run_id is not None and not removed and run_id in entry.run_ids:
            raise HarnessError("baseline-run-of-window", where=store.shown, run_id=run_id)
        if run_id is not None and not removed:
            raise HarnessError("baseline-lacks-run", where=store.shown, run_id=run_id, runs=list(entry.run_ids))
    if as_json:
        print_json({"removed": removed})
        return
    left = len(set(entry.run_ids) - set(removed))
    if left:
        rest = f"Runs left: {left}."
    elif after:
        rest = f"From now on it is a window of {after[0].window} runs."
    else:
        rest = "Gates that compare with it are inconclusive until one is set."
    say(f"Removed from the baseline of {name_of(entry)}: {', '.join(removed) or 'the window'}. {rest}")


def _chosen(store: Store, scenario: str | None, profile: str | None, fingerprint: str | None) -> list[BaselineEntry]:
    entries = [
        entry
        for entry in store.list_baselines(scenario, profile)
        if fingerprint is None or entry.fingerprint == fingerprint
    ]
    if entries:
        return entries
    known = store.list_baselines()
    if not known:
        raise HarnessError("baseline-none-yet", where=store.shown)
    wanted = {"scenario": scenario, "profile": profile, "environment": fingerprint}
    raise HarnessError(
        "baseline-not-found",
        where=store.shown,
        wanted=[f"{word} {value}" for word, value in wanted.items() if value is not None],
        known=[name_of(entry) for entry in known],
    )

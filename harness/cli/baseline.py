"""``harness baseline``: manage the runs that later runs are compared with.

Text for people goes to standard error. With ``--json``, the same goes to standard output as JSON.
"""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click
from click.core import ParameterSource
from rich.table import Table
from rich.text import Text

from harness.cli import options
from harness.cli.baseline_shown import described, draw, explain, name_of
from harness.cli.std_streams import print_json, say
from harness.cli.terminal import Terminal
from harness.control.run_lookup import existing_store, find_or_fetch
from harness.errors import ExitCode, HarnessError
from harness.messages import Option
from harness.record.environment import Environment
from harness.record.run_folder import RunFolder, read_model
from harness.record.summary import GateResult, Summary

if TYPE_CHECKING:
    from harness.store import BaselineEntry, Store

_profile = click.option("--profile", help="Only baselines of this profile.")
_fingerprint = click.option("--fingerprint", help="Only baselines of this environment.")


@click.group()
def command() -> None:
    """Manage the runs that later runs are compared with.

    A baseline belongs to one scenario, one profile and one environment (machine, versions, kind of target). Gates
    such as "p95 <= baseline + 10%" compare with it.
    """


@command.command("set")
@click.argument("run")
@click.option("--add", is_flag=True, help="Add the run to the baseline instead of replacing it.")
@click.option(
    "--up-to",
    type=options.WholeNumber(min=1),
    metavar="N",
    help="Add the run only if it held and the baseline has fewer than N runs.",
)
@click.option("--force", is_flag=True, help="Use the run even if it failed or was broken.")
@options.out
@options.as_json
def set_(run: str, add: bool, up_to: int | None, force: bool, out: Path, as_json: bool) -> None:
    """Make RUN (a run folder, a run ID or "latest") the baseline of its scenario, profile and environment.

    With several runs (--add), gates know how much runs of the same build vary, and do not mistake noise for a change.
    With --up-to, a CI job can call this after every run: the first N runs that held become the baseline, which then
    stays as it is. A run held if it passed, or if its only inconclusive gates had no baseline to compare with.
    """
    from harness.analysis.measurement import measure
    from harness.recording import open_recording
    from harness.store import RunEntry, open_store

    folder = find_or_fetch(run, out)
    summary = _judged(folder)
    _reject_unfit(summary, force)
    environment = read_model(folder.environment, Environment)
    measurement = measure(open_recording(folder))
    entry = RunEntry(summary, environment.fingerprint, folder.path, commit=environment.commit, measurement=measurement)
    key = (summary.scenario, summary.profile, environment.fingerprint)
    # A baseline belongs in the store where runs like it are compared: the one beside it, unless --out names another.
    named = click.get_current_context().get_parameter_source("out") is ParameterSource.COMMANDLINE
    with open_store(None, out if named else folder.path.parent) as store:
        before = store.baseline_for(*key) if up_to is not None else None
        enough = before is not None and up_to is not None and len(before.runs) >= up_to
        if not enough:
            if up_to is not None:  # nobody looks at the run before it is added
                _reject_undecided(summary, force)
            # Another job may have added a run meanwhile.
            enough = not store.set_baseline(entry, replace=not (add or up_to), up_to=up_to)
        baseline = store.baseline_for(*key)
        assert baseline is not None
        verdicts = store.verdicts(run.run_id for run in baseline.runs)
        shown = store.shown
    if as_json:
        print_json(described(baseline, verdicts))
        return
    console = Terminal()
    if enough:
        console.print(f"The baseline has {len(baseline.runs)} runs and stays as it is, in {shown}.")
        return
    console.print(f"Baseline {'extended' if len(baseline.runs) > 1 else 'set'}, in {shown}:")
    draw(console, baseline, verdicts)
    explain(console, baseline, measurement)


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
        console.print(f"No baseline in {shown}. Run `harness baseline set RUN` to set one.")
        return
    table = Table("scenario", "profile", "environment", "runs", "latest run (UTC)", "set on")
    for entry in entries:
        what = (entry.scenario, entry.profile, entry.fingerprint, str(len(entry.run_ids)))
        table.add_row(*map(Text, what), f"{entry.started_at:%Y-%m-%d %H:%M}", f"{entry.set_at:%Y-%m-%d}")
    console.print(table)


@command.command()
@click.argument("scenario", required=False)
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
@click.argument("scenario")
@_profile
@_fingerprint
@click.option("--run", "run_id", help="Remove only this run from the baseline.")
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
        if not removed:
            raise HarnessError("baseline-lacks-run", where=store.shown, run_id=run_id, runs=list(entry.run_ids))
    if as_json:
        print_json({"removed": removed})
        return
    left = len(entry.run_ids) - len(removed)
    rest = f"Runs left: {left}." if left else "Gates that compare with it are inconclusive until one is set."
    say(f"Removed from the baseline of {name_of(entry)}: {', '.join(removed)}. {rest}")


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


def _judged(folder: RunFolder) -> Summary:
    if not folder.summary.is_file():
        raise HarnessError("run-not-judged", where=str(folder.path), run_id=folder.run_id)
    return read_model(folder.summary, Summary)


def _reject_unfit(summary: Summary, force: bool) -> None:
    reason = summary.reasons[0] if summary.reasons else summary.verdict
    code = {"fail": "baseline-run-failed", "broken": "baseline-run-broken"}.get(summary.verdict)
    if code is not None and not force:
        raise HarnessError(code, where=summary.run_id, reason=reason, force=Option("force"))


def _reject_undecided(summary: Summary, force: bool) -> None:
    """The first runs have no baseline to compare with; nothing else about them may be undecided."""
    limited = {phase.name for phase in summary.phases if phase.generator_limited}
    undecided = [
        gate
        for gate in summary.gates
        if gate.status == "inconclusive" and (gate.phase in limited or not _lacks_only_a_baseline(gate))
    ]
    complete = summary.exit_code in (ExitCode.PASS, ExitCode.INCONCLUSIVE)  # an interrupted run is inconclusive, too
    if force or (complete and not undecided):
        return
    reason = undecided[0].reason if undecided else summary.reasons[0] if summary.reasons else ""
    raise HarnessError(
        "baseline-run-undecided",
        where=summary.run_id,
        verdict=summary.verdict,
        reason=reason,
        up_to=Option("up_to"),
        force=Option("force"),
    )


def _lacks_only_a_baseline(gate: GateResult) -> bool:
    """Whether its figure is known but its limit is not, because that comes from a baseline."""
    return gate.observed is not None and gate.limit is None

"""``harness baseline``: keep runs that later runs are compared with.

What people read goes to standard error; with ``--json``, standard output holds the same as JSON and nothing else.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource
from rich.table import Table
from rich.text import Text

from harness.cli import options
from harness.cli.baseline_shown import console_of_people, described, described_entry, draw, explain, name_of
from harness.control.run_lookup import existing_store, find_or_fetch
from harness.errors import ExitCode, HarnessError
from harness.record.environment import Environment
from harness.record.run_folder import RunFolder, read_model
from harness.record.summary import GateResult, Summary

if TYPE_CHECKING:
    from harness.store import BaselineEntry, Store

_profile = click.option("--profile", help="Only of this profile.")
_fingerprint = click.option("--fingerprint", help="Only of this environment.")


@click.group()
def command() -> None:
    """Keep runs that later runs are compared with.

    A baseline belongs to one scenario, one profile and one environment (machine, versions, kind of target). Gates
    such as "p95 <= baseline + 10%" read it.
    """


@command.command("set")
@click.argument("run")
@click.option("--add", is_flag=True, help="Join the runs there are, instead of replacing them.")
@click.option(
    "--up-to",
    type=options.WholeNumber(min=1),
    metavar="N",
    help="Join them, but only a run that held, and only while there are fewer than N runs.",
)
@click.option("--force", is_flag=True, help="Even if the run failed or was broken.")
@options.out
@options.as_json
def set_(run: str, add: bool, up_to: int | None, force: bool, out: Path, as_json: bool) -> None:
    """Make RUN (a run folder, a run-id or "latest") the baseline of its scenario, profile and environment.

    Several runs (--add) tell how much runs differ with no change at all, so that gates do not take noise for a change.
    With --up-to a job can do it after every run: the first N that hold make the baseline, and it stays as it is from
    then on. A run holds that passed, or whose only inconclusive gates had no baseline to compare with.
    """
    from harness.analysis.measurement import measure
    from harness.recording import open_recording
    from harness.store import RunEntry, open_store

    folder = find_or_fetch(run, out)
    summary = _judged(folder)
    _refuse_unfit(summary, force)
    environment = read_model(folder.environment, Environment)
    measurement = measure(open_recording(folder))
    entry = RunEntry(summary, environment.fingerprint, folder.path, measurement=measurement)
    key = (summary.scenario, summary.profile, environment.fingerprint)
    # A run's baseline belongs where runs like it are compared: in the store beside it, unless another is named.
    named = click.get_current_context().get_parameter_source("out") is ParameterSource.COMMANDLINE
    with open_store(None, out if named else folder.path.parent) as store:
        before = store.baseline_for(*key) if up_to is not None else None
        enough = before is not None and up_to is not None and len(before.runs) >= up_to
        if not enough:
            if up_to is not None:  # nobody looks at the run before it joins
                _refuse_untold(summary, force)
            # Another job may have been quicker since.
            enough = not store.set_baseline(entry, replace=not (add or up_to), up_to=up_to)
        baseline = store.baseline_for(*key)
        assert baseline is not None
        verdicts = store.verdicts(run.run_id for run in baseline.runs)
        shown = store.shown
    if as_json:
        _print_json(described(baseline, verdicts))
        return
    console = console_of_people()
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
        _print_json([described_entry(entry) for entry in entries])
        return
    console = console_of_people()
    if not entries:
        console.print(f"No baseline in {shown}. Set one: harness baseline set RUN")
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
    """Show the figures of the baselines of SCENARIO (default: of all)."""
    with existing_store(out) as store:
        entries = _chosen(store, scenario, profile, fingerprint)
        found = (store.baseline_for(entry.scenario, entry.profile, entry.fingerprint) for entry in entries)
        baselines = [baseline for baseline in found if baseline is not None]
        verdicts = store.verdicts(run.run_id for baseline in baselines for run in baseline.runs)
    if as_json:
        _print_json([described(baseline, verdicts) for baseline in baselines])
        return
    console = console_of_people()
    for baseline in baselines:
        draw(console, baseline, verdicts)


@command.command()
@click.argument("scenario")
@_profile
@_fingerprint
@click.option("--run", "run_id", help="Only this run of the baseline.")
@options.out
@options.as_json
def rm(
    scenario: str, profile: str | None, fingerprint: str | None, run_id: str | None, out: Path, as_json: bool
) -> None:
    """Remove the baseline of SCENARIO. Run folders stay.

    Where there are several (profiles, environments), say which.
    """
    with existing_store(out) as store:
        entries = _chosen(store, scenario, profile, fingerprint)
        if len(entries) > 1:
            choices = "\n  ".join(f"--profile {e.profile} --fingerprint {e.fingerprint}" for e in entries)
            raise HarnessError(
                f"there are {len(entries)} baselines of {scenario!r}; say which one",
                where=store.shown,
                hint=choices,
            )
        entry = entries[0]
        removed = store.remove_baseline(entry.scenario, entry.profile, entry.fingerprint, run_id)
        if not removed:
            raise HarnessError(
                f"run {run_id!r} is not in this baseline", where=store.shown, hint="It has: " + ", ".join(entry.run_ids)
            )
    if as_json:
        _print_json({"removed": removed})
        return
    left = len(entry.run_ids) - len(removed)
    rest = f"{left} of its runs left" if left else 'gates on "baseline" are inconclusive until one is set'
    click.echo(f"Removed from the baseline of {name_of(entry)}: {', '.join(removed)}; {rest}.", err=True)


def _chosen(store: Store, scenario: str | None, profile: str | None, fingerprint: str | None) -> list[BaselineEntry]:
    entries = [
        entry
        for entry in store.list_baselines(scenario, profile)
        if fingerprint is None or entry.fingerprint == fingerprint
    ]
    if entries:
        return entries
    wanted = {"scenario": scenario, "profile": profile, "environment": fingerprint}
    of = ", ".join(f"{word} {value!r}" for word, value in wanted.items() if value is not None)
    known = "\n  ".join(map(name_of, store.list_baselines()))
    raise HarnessError(
        f"there is no baseline of {of}" if of else "there is no baseline yet",
        where=store.shown,
        hint=f"There are:\n  {known}" if known else "Set one: harness baseline set RUN",
    )


def _judged(folder: RunFolder) -> Summary:
    if not folder.summary.is_file():
        raise HarnessError(
            "run-not-judged",
            "the run has not been judged: it has no summary.json",
            where=str(folder.path),
            hint="Judge it: harness gate {run_id}",
            run_id=folder.run_id,
        )
    return read_model(folder.summary, Summary)


def _refuse_unfit(summary: Summary, force: bool) -> None:
    if force or summary.verdict in ("pass", "inconclusive"):
        return
    why = f" ({summary.reasons[0]})" if summary.reasons else ""
    means = {
        "fail": "later runs would be measured against a run that did not hold",
        "broken": "its figures are not those of the target",
    }
    raise HarnessError(
        f"the verdict of this run is {summary.verdict}{why}: {means[summary.verdict]}",
        where=summary.run_id,
        hint="Choose another run, or insist with --force.",
    )


def _refuse_untold(summary: Summary, force: bool) -> None:
    """The first runs of all have no baseline to be compared with; nothing else of them may be left open."""
    limited = {phase.name for phase in summary.phases if phase.generator_limited}
    untold = [
        gate
        for gate in summary.gates
        if gate.status == "inconclusive" and (gate.phase in limited or not _lacks_only_a_baseline(gate))
    ]
    whole = summary.exit_code in (ExitCode.PASS, ExitCode.INCONCLUSIVE)  # an interrupted run is inconclusive, too
    if force or (whole and not untold):
        return
    why = f"gate `{untold[0].require}`: {untold[0].reason}" if untold else "; ".join(summary.reasons[:1])
    raise HarnessError(
        f"the verdict of this run is {summary.verdict} ({why}): it did not hold",
        where=summary.run_id,
        hint="With --up-to only runs join that held. Without it, or with --force, this one does.",
    )


def _lacks_only_a_baseline(gate: GateResult) -> bool:
    """Whether its figure is known, and its limit is not: one that would be reckoned from a baseline."""
    return gate.observed is not None and gate.limit is None


def _print_json(value: Any) -> None:
    click.echo(json.dumps(value, indent=2, ensure_ascii=False))

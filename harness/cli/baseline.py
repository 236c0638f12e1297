"""``harness baseline``: keep runs that later runs are compared with.

What people read goes to standard error; with ``--json``, standard output holds the same as JSON and nothing else.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource
from rich.console import Console
from rich.table import Table
from rich.text import Text

from harness.cli import options
from harness.control.finding import existing_store, find
from harness.errors import ExitCode, HarnessError
from harness.record.baseline import Baseline, BaselineRun, Interval
from harness.record.environment import Environment
from harness.record.run_folder import read_model
from harness.record.summary import GateResult, Summary
from harness.report.words import in_unit, plain

if TYPE_CHECKING:
    from harness.store import BaselineEntry, Store

_METRICS = {"p50": "ms", "p95": "ms", "p99": "ms", "error_rate": "%", "throughput": "/s"}
"""The metrics of the table, in its order, and their units."""

_LOG_WIDTH = 160
"""Columns where there is no terminal: in a log a line may be long, and a run-id must not be broken."""

_EXAMPLE = "p95 <= baseline + 10%"
_BENCH_METRICS = ("min", "median", "mean", "p95")
_BENCH_EXAMPLE = 'bench("test_*").mean <= baseline + 10%'
_ALL_ENDPOINTS = ""

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
    from harness.analysis.measurement import measure_for_baseline
    from harness.gates.bench_judge import measure_suite_for_baseline
    from harness.store import open_store

    folder = find(run, out)
    if folder.summary.is_file():  # else measuring says that it was never judged, and how to
        _refuse_unfit(read_model(folder.summary, Summary), force)
    environment = read_model(folder.environment, Environment)
    measured = measure_suite_for_baseline(folder) if folder.is_bench else measure_for_baseline(folder)
    key = (measured.summary.scenario, measured.summary.profile, environment.fingerprint)
    # A run's baseline belongs where runs like it are compared: in the store beside it, unless another is named.
    named = click.get_current_context().get_parameter_source("out") is ParameterSource.COMMANDLINE
    with open_store(None, out if named else folder.path.parent) as store:
        before = store.baseline_for(*key) if up_to is not None else None
        enough = before is not None and up_to is not None and len(before.runs) >= up_to
        if not enough:
            if up_to is not None:  # nobody looks at the run before it joins
                _refuse_untold(measured.summary, force)
            # Another job may have been quicker since.
            enough = not store.set_baseline(environment.fingerprint, measured, replace=not (add or up_to), up_to=up_to)
        baseline = store.baseline_for(*key)
        shown = store.shown
    assert baseline is not None
    if as_json:
        _print_json(_described(baseline))
        return
    console = _console()
    if enough:
        console.print(f"The baseline has {len(baseline.runs)} runs and stays as it is, in {shown}.")
        return
    console.print(f"Baseline {'extended' if len(baseline.runs) > 1 else 'set'}, in {shown}:")
    _draw(console, baseline)
    _explain(console, baseline, measured)


@command.command("list")
@options.out
@options.as_json
def list_(out: Path, as_json: bool) -> None:
    """List all baselines."""
    with existing_store(out) as store:
        entries = store.list_baselines()
        shown = store.shown
    if as_json:
        _print_json([_entry_json(entry) for entry in entries])
        return
    console = _console()
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
    if as_json:
        _print_json([_described(baseline) for baseline in baselines])
        return
    console = _console()
    for baseline in baselines:
        _draw(console, baseline)


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
    click.echo(f"Removed from the baseline of {_name(entry)}: {', '.join(removed)}; {rest}.", err=True)


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
    known = "\n  ".join(map(_name, store.list_baselines()))
    raise HarnessError(
        f"there is no baseline of {of}" if of else "there is no baseline yet",
        where=store.shown,
        hint=f"There are:\n  {known}" if known else "Set one: harness baseline set RUN",
    )


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


def _draw(console: Console, baseline: Baseline) -> None:
    """One table a run: a row a phase, all its endpoints together; or a row a benchmark."""
    console.print(Text(_name(baseline), style="bold"))
    for run in baseline.runs:
        console.print(Text(f"{run.run_id} ({run.summary.verdict})"))
        if run.summary.kind == "bench":
            console.print(_benchmarks(run))
            continue
        table = Table("phase")
        for metric in _METRICS:
            table.add_column(metric, justify="right")
        for phase, endpoints in run.figures.items():
            figures = endpoints.get(_ALL_ENDPOINTS, {})
            table.add_row(Text(plain(phase)), *(_figure(figures.get(metric), metric) for metric in _METRICS))
        console.print(table)


def _benchmarks(run: BaselineRun) -> Table:
    table = Table("benchmark")
    for metric in _BENCH_METRICS:
        table.add_column(metric, justify="right")
    names = {benchmark.test: benchmark.name for benchmark in run.summary.benchmarks}
    for test, figures in next(iter(run.figures.values()), {}).items():
        shown = (in_unit(found.value if (found := figures.get(metric)) else None, "s") for metric in _BENCH_METRICS)
        table.add_row(Text(plain(names.get(test, test))), *shown)
    return table


def _explain(console: Console, baseline: Baseline, added: BaselineRun) -> None:
    """How a gate uses what was just set, with the figure that a person would else have to work out."""
    for phase in added.summary.phases:
        if phase.generator_limited:
            console.print(
                Text(f"In phase {plain(phase.name)} the load generator was the limit: gates will not use it.")
            )
    console.print("From the next run on, gates compare with it:")
    if added.summary.kind == "bench":
        console.print(Text(f"  {_BENCH_EXAMPLE}", style="bold"))
    else:
        console.print(Text(f'  require = "{_EXAMPLE}"', style="bold"))
    example = _example(baseline)
    if example is not None:
        phase_name, p95_ms = example
        limit = in_unit(p95_ms * 1.1, "ms")
        console.print(Text(f"  which is now: at most {limit} in phase {plain(phase_name)}."))
    if len(baseline.runs) == 1:
        console.print(
            "One run does not tell how much runs differ with no change at all. Make two more of the same, and add them:"
        )
        console.print(Text("  harness baseline set RUN --add", style="bold"))


def _example(baseline: Baseline) -> tuple[str, float] | None:
    """A phase to show the limit of (a steady one, where there is one), and its p95 as gates take it."""
    from harness.gates.against_baseline import against

    phases = sorted(baseline.runs[0].summary.phases, key=lambda phase: phase.kind != "steady")
    for phase in phases:
        of_runs = [run.figures.get(phase.name, {}).get(_ALL_ENDPOINTS, {}).get("p95") for run in baseline.runs]
        p95s = [p95 for p95 in of_runs if p95 is not None]
        if p95s and not phase.generator_limited:
            figure, _ = against(p95s[0], p95s, "p95")
            return phase.name, figure
    return None


def _figure(interval: Interval | None, metric: str) -> str:
    return in_unit(interval.value if interval else None, _METRICS[metric])


def _name(of: Baseline | BaselineEntry) -> str:
    return f"{of.scenario} · {of.profile} · environment {of.fingerprint}"


def _described(baseline: Baseline) -> dict[str, Any]:
    runs = [
        {
            "run_id": run.run_id,
            "started_at": run.started_at,
            "verdict": run.summary.verdict,
            "figures": run.model_dump(include={"figures"})["figures"],
        }
        for run in baseline.runs
    ]
    return {**baseline.model_dump(include={"scenario", "profile", "fingerprint"}), "runs": runs}


def _entry_json(entry: BaselineEntry) -> dict[str, Any]:
    return {
        "scenario": entry.scenario,
        "profile": entry.profile,
        "fingerprint": entry.fingerprint,
        "run_ids": entry.run_ids,
        "started_at": entry.started_at.isoformat(),
        "set_at": entry.set_at.isoformat(),
    }


def _print_json(value: Any) -> None:
    click.echo(json.dumps(value, indent=2, ensure_ascii=False))


def _console() -> Console:
    console = Console(stderr=True, highlight=False, markup=False)
    if not console.is_terminal:
        console.width = _LOG_WIDTH
    return console

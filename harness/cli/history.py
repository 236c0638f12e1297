"""``harness history``: every figure of a scenario over its runs, and where it took a step."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click
from rich.table import Table
from rich.text import Text

from harness.cli import options
from harness.cli.std_streams import print_json
from harness.cli.terminal import Terminal
from harness.control.run_lookup import existing_store
from harness.errors import HarnessError
from harness.messages import alternatives
from harness.record.history import History, Series, Step
from harness.record.measurement import ALL
from harness.report import formatting

if TYPE_CHECKING:
    from harness.store import Store

_BARS = "▁▂▃▄▅▆▇█"
_WIDEST = 40
"""Runs in a sparkline: the latest."""


@click.command()
@click.argument("scenario")
@click.option("--metric", "metrics", multiple=True, metavar="M", help="Only this metric, such as p95.")
@click.option("--profile", metavar="P", help="Runs of this profile. Default: that of the latest run.")
@click.option("--fingerprint", help="Runs of this environment. Default: that of the latest run.")
@options.out
@options.as_json
def command(
    scenario: str, metrics: tuple[str, ...], profile: str | None, fingerprint: str | None, out: Path, as_json: bool
) -> None:
    """Show the figures of SCENARIO over its stored runs, and the runs and commits between which they took a step.

    A step takes three runs at the new level to be seen. `harness baseline accept` marks one as intended.
    """
    with existing_store(out) as store:
        history = _history(store, scenario, metrics, profile, fingerprint)
    if as_json:
        print_json(history.model_dump(mode="json"))
        return
    console = Terminal()
    runs = formatting.counted(len(history.runs), "run")
    console.print(Text(f"{history.scenario} · {history.profile} · environment {history.fingerprint}: {runs}"))
    console.print(_table(history.series))
    steps = [(series, step) for series in history.series for step in series.steps]
    for series, step in sorted(steps, key=lambda found: found[1].after.started_at):
        console.print(Text(_sentence(series, step), style="red" if step.meaning == "worse" else ""), soft_wrap=True)
    if not steps:
        console.print("No figure took a step.")


def _history(
    store: Store, scenario: str, metrics: Sequence[str], profile: str | None, fingerprint: str | None
) -> History:
    from harness.analysis.history import series_of
    from harness.metrics import BENCH_METRICS, RUN_METRICS
    from harness.store.windows import Key

    known = {*RUN_METRICS, *BENCH_METRICS}
    for name in metrics:
        if name not in known:
            raise HarnessError("history-unknown-metric", metric=name, alternatives=alternatives(name, sorted(known)))
    stored = store.list_runs(scenario)
    if not stored:
        raise HarnessError(
            "scenario-not-stored",
            where=store.shown,
            scenario=scenario,
            alternatives=alternatives(scenario, store.scenarios()),
        )
    wanted = [run for run in stored if profile in (None, run.profile) and fingerprint in (None, run.fingerprint)]
    if not wanted:
        have = sorted({f"{run.profile} {run.fingerprint}" for run in stored})
        raise HarnessError("history-empty", where=store.shown, scenario=scenario, have=have)
    key = Key(scenario, wanted[0].profile, wanted[0].fingerprint)
    runs, accepted = store.past_runs(key), store.accepted(key)
    return History(
        **key._asdict(),
        runs=[run for run, _ in runs],
        series=series_of(runs, metrics=metrics, accepted=accepted),
        accepted=accepted,
    )


def _table(every: Iterable[Series]) -> Table:
    table = Table("phase", "endpoint", "metric", "over time", "latest", "steps", box=None)
    for series in every:
        if series.endpoint != ALL and not series.steps:
            continue
        figures = [figure.value for figure in series.figures]
        cells = (series.phase, series.endpoint or "all", series.metric, sparkline(figures[-_WIDEST:]))
        table.add_row(*map(Text, cells), formatting.in_unit(figures[-1], series.unit), str(len(series.steps) or ""))
    return table


def sparkline(values: Sequence[float]) -> str:
    """A bar for each value, from the lowest to the highest."""
    low, high = min(values), max(values)
    scale = (len(_BARS) - 1) / (high - low) if high > low else 0.0
    return "".join(_BARS[round((value - low) * scale)] for value in values)


def _sentence(series: Series, step: Step) -> str:
    """``p95 of steady: 20 ms → 24 ms (+20 %) between RUN (commit) and RUN (commit)``."""
    amounts = " → ".join(formatting.in_unit(level, series.unit) for level in (step.level_before, step.level_after))
    shown = formatting.points if series.unit == "%" else formatting.change
    between = " and ".join(f"{run.run_id} ({run.commit or 'no commit'})" for run in (step.before, step.after))
    where = f"{series.phase}, {series.endpoint}" if series.endpoint else series.phase
    why = f"; accepted: {step.accepted.why}" if step.accepted else ""
    return f"{series.metric} in {where}: {amounts} ({shown(step.change)}), {step.meaning}, between {between}{why}"

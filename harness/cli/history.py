"""``harness history``: every figure of a scenario over its runs, and where it took a step."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from harness.cli import options
from harness.control.run_lookup import existing_store, stored_runs
from harness.errors import HarnessError
from harness.messages import alternatives
from harness.record.history import History

if TYPE_CHECKING:
    from harness.record.measurement import Measurement
    from harness.store import Store


@click.command()
@options.stored_scenario()
@click.option(
    "--metric",
    "metrics",
    multiple=True,
    metavar="METRIC",
    help='Only this metric, such as p95 or metric("shop.in_use").max.',
)
@click.option(
    "--profile", metavar="NAME", help="Runs of this profile. Default: that of the latest run that is no duet."
)
@click.option("--fingerprint", help="Runs of this environment. Default: that of the latest run.")
@options.report_files("the history")
@options.out
@options.as_json
def command(
    scenario: str,
    metrics: tuple[str, ...],
    profile: str | None,
    fingerprint: str | None,
    files: tuple[Path, ...],
    out: Path,
    as_json: bool,
) -> None:
    """Show the figures of SCENARIO over its stored runs, and the runs and commits between which they took a step.

    A step shows after three runs at the new level. `harness baseline accept` marks a step as intended.
    """
    from harness.cli.outcome import show_sections
    from harness.cli.report_files import check_report_files, write_report_files
    from harness.report.exporters import HISTORY_FORMS
    from harness.report.sections import HISTORY_SECTIONS

    check_report_files(files, HISTORY_FORMS)
    with existing_store(out) as store:
        history = _history(store, scenario, metrics, profile, fingerprint)
    written = write_report_files(files, HISTORY_FORMS, history)
    if as_json:
        click.echo(history.to_json(), nl=False)
        return
    show_sections(HISTORY_SECTIONS, history, written)


def _history(
    store: Store, scenario: str, metrics: Sequence[str], profile: str | None, fingerprint: str | None
) -> History:
    from harness.analysis.history import about_their_steps, series_of
    from harness.plan.model.run import DUET
    from harness.record.measurement import phase_title
    from harness.store.windows import Key

    stored = stored_runs(store, scenario)
    wanted = [run for run in stored if profile in (None, run.profile) and fingerprint in (None, run.fingerprint)]
    if not wanted:
        have = sorted({f"{run.profile} {run.fingerprint}" for run in stored})
        raise HarnessError("history-empty", where=store.shown, scenario=scenario, have=have)
    wanted.sort(key=lambda run: run.profile.endswith(DUET))  # stable: a duet only if there is nothing else
    key = Key(scenario, wanted[0].profile, wanted[0].fingerprint)
    runs, accepted = store.past_runs(key), store.accepted(key)
    _check_metrics(metrics, [measurement for _, measurement in runs[-1:]])
    return History(
        **key._asdict(),
        runs=[run for run, _ in runs],
        series=about_their_steps(series_of(runs, metrics=metrics, accepted=accepted), [run for run, _ in runs]),
        accepted=accepted,
        beside_others=Counter(
            phase_title(phase.name, phase.variant)
            for _, measurement in runs
            for phase in measurement.phases
            if phase.too_contaminated
        ),
    )


def _check_metrics(metrics: Sequence[str], runs: Sequence[Measurement]) -> None:
    from harness.metrics import BENCH_METRICS, RUN_METRICS

    parts = [part for run in runs for phase in run.phases for part in phase.endpoints.values()]
    known = {*RUN_METRICS, *BENCH_METRICS, *(figure for part in parts for figure in part.figures)}
    for name in metrics:
        if name not in known:
            raise HarnessError("history-unknown-metric", metric=name, alternatives=alternatives(name, sorted(known)))

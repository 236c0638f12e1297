"""Measures how often verdicts of duets and nightly gates are right, quiet and with a neighbour.

Two small servers (``verdict_target.py``) are put under real load. Half an hour of it is recorded: duets and runs of one
build, and of builds whose search does 2 to 20 % more work. Then trials are made of whole stretches of the recordings
and judged by the harness itself. Effects that were not recorded are laid over recordings of one build: its CPU time,
and the response times of one endpoint, are multiplied.

    \b
    uv run python benchmarks/verdicts.py --record FOLDER     # 28 minutes; nothing else should run
    uv run python benchmarks/verdicts.py --judge FOLDER      # as often as you like
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click
import numpy as np

from benchmarks import verdict_recordings
from benchmarks.output import show_result, show_table
from benchmarks.verdict_recordings import recordings
from benchmarks.verdict_trials import (
    CHANGED,
    DUET_GATES,
    EACH_CHANGE,
    FIGURES,
    NIGHT_GATES,
    Kind,
    Level,
    Tally,
    Trials,
    gates,
    is_gated,
    run_trials,
)
from harness.gates.judge import judge
from harness.record.changes import Change

DUET_LEVELS = (Level(), Level(0.02, 0.05), Level(0.05, 0.10), Level(0.10, 0.20))
NIGHT_LEVELS = (Level(), Level(0.10, 0.20), Level(0.20, 0.40), Level(0.40, 0.80))
_CHUNK = 20


def wanted(folder: Path, trials: int, duet_s: int, night_s: int, levels: int) -> Iterator[Trials]:
    """All trials, in parts that processes share, of the first ``levels``."""
    known = (each.wanted for each in recordings(folder))
    for kind, target, noisy in sorted({(each.kind, each.target, each.noisy) for each in known if not each.more}):
        for seed in range(-(-trials // _CHUNK)):
            count = min(_CHUNK, trials - seed * _CHUNK)
            if kind == "duet":
                for level in DUET_LEVELS[: levels if seed % EACH_CHANGE == 0 else 1]:
                    yield Trials("duet", target, noisy, (level,), count, duet_s, seed)
            else:
                yield Trials("night", target, noisy, NIGHT_LEVELS[:levels], count, night_s, seed)
                if noisy:
                    yield Trials("mixed", target, noisy, NIGHT_LEVELS[:levels], count, night_s, seed)


def show_trials(title: str, tallies: Mapping[Kind, Tally], limits: Mapping[str, str]) -> None:
    """One line for each kind of trials: how often each gate failed, and what the verdicts were."""
    rows = [
        [
            f"{kind.target}, one noisy night" if kind.kind == "mixed" else _named(kind.target, kind.noisy),
            f"+{100 * kind.level.cpu:g} %",
            f"+{100 * kind.level.times:g} %",
            *(tally.gate(metric, "fail").text() for metric in limits),
            tally.gate(next(iter(limits)), "inconclusive").text(),
            tally.verdict("fail").text(),
            tally.verdict("inconclusive").text(),
            str(tally.n),
        ]
        for kind, tally in sorted(tallies.items())
    ]
    columns = [
        "",
        "CPU",
        "times",
        *(f"{metric} fails" for metric in limits),
        f"{next(iter(limits))} open",
        "fail",
        "inconclusive",
        "trials",
    ]
    show_table(f"{title}, % of trials", columns, rows)


def show_coverage(tallies: Mapping[Kind, Tally]) -> None:
    """How often the interval of a change held the true one, and how wide half of it was."""
    rows = []
    for kind, tally in sorted(tallies.items()):
        if kind.level == Level() and tally.covered:
            texts = [
                f"{tally.coverage(metric).text()}, ±{50 * float(np.median(tally.widths[metric])):.1f} %"
                for metric in FIGURES
            ]
            rows.append([_named(kind.target, kind.noisy), *texts])
    if rows:
        show_table(
            "Intervals of duets that hold the true change, % of trials; half of their width", ["", *FIGURES], rows
        )


def show_real(folder: Path) -> list[dict[str, Any]]:
    """Judge the duets as they were recorded; print their changes and return them."""
    rows, found = [], []
    for each in recordings(folder):
        if each.wanted.kind != "duet":
            continue
        recorded, summary = each.wanted, judge(each.open(), gates=gates(DUET_GATES))
        changes = {change.metric: change for change in summary.changes if is_gated(change)}
        texts = [_change(changes[metric]) if metric in changes else "–" for metric in FIGURES]
        name = _named(recorded.target, recorded.noisy)
        rows.append([f"{name}, +{recorded.more:g} % work, {recorded.seconds:g} s", *texts, summary.verdict])
        found.append(
            {
                **asdict(recorded),
                "verdict": summary.verdict,
                "changes": {metric: [change.change, *(change.interval or ())] for metric, change in changes.items()},
            }
        )
    if rows:
        show_table(
            f"Duets as recorded: change in %, work is that of {CHANGED}", ["", *FIGURES, "verdict"], sorted(rows)
        )
    return found


def _named(target: str, noisy: bool) -> str:
    return f"{target}, neighbour" if noisy else target


def _change(change: Change) -> str:
    low, high = change.interval or (None, None)
    texts = ["?" if each is None else f"{100 * each:+.1f}" for each in (change.change, low, high)]
    return f"{texts[0]} ({texts[1]}…{texts[2]})"


@click.command(help=__doc__, context_settings={"max_content_width": 120})
@click.option("--record", "record_to", type=click.Path(path_type=Path), help="Only record, into this folder.")
@click.option("--judge", "judge_from", type=click.Path(path_type=Path, exists=True), help="Only judge what it holds.")
@click.option("--minutes", type=click.FloatRange(min=1), default=28.0, show_default=True, help="Of recording.")
@click.option(
    "--trials", type=click.IntRange(min=1), default=300, show_default=True, help="Of no change; of each other, a third."
)
@click.option("--jobs", type=click.IntRange(min=1), default=os.cpu_count(), show_default=True, help="Processes.")
@click.option("--nights", "only_nights", is_flag=True, help="Record only what nights are made of.")
@click.option("--short", is_flag=True, help="Some seconds, only to check that it works.")
def main(
    record_to: Path | None,
    judge_from: Path | None,
    minutes: float,
    trials: int,
    jobs: int,
    only_nights: bool,
    short: bool,
) -> None:
    duet_s, night_s, levels = 120, 60, len(DUET_LEVELS)
    if short:
        trials, duet_s, night_s, levels = 2, 4, 4, 2
    with tempfile.TemporaryDirectory(prefix="verdicts-") as temporary:
        folder = record_to or judge_from or Path(temporary)
        if judge_from is None:
            planned = (
                verdict_recordings.plan_nights(minutes=minutes)
                if only_nights
                else verdict_recordings.plan(minutes=minutes, short=short)
            )
            verdict_recordings.record(planned, folder, minutes=minutes)
        if record_to is not None:
            return
        tallies = run_trials(folder, list(wanted(folder, trials, duet_s, night_s, levels)), jobs)
        duets, nights = (
            {kind: tally for kind, tally in tallies.items() if (kind.kind == "duet") == is_duet}
            for is_duet in (True, False)
        )
        real = show_real(folder)
        if duets:
            show_trials(f"Duets of {duet_s} s", duets, DUET_GATES)
            show_coverage(duets)
        if nights:
            show_trials(f"Nights of {night_s} s", nights, NIGHT_GATES)
        show_result({"recorded": real, "trials": [tally.figures(kind) for kind, tally in sorted(tallies.items())]})


if __name__ == "__main__":
    main()

"""``harness calibrate``: run one build several times to learn how much its figures vary."""

from __future__ import annotations

import math
import os
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from rich.table import Table
from rich.text import Text

from harness import api, control
from harness.api.options import RunOptions
from harness.cli import options
from harness.cli.run import make_observer, with_target_from
from harness.errors import ExitCode, HarnessError
from harness.messages import message
from harness.metrics import RUN_METRICS
from harness.record.calibration import Calibration, NoiseFloor
from harness.record.summary import Summary

if TYPE_CHECKING:
    from harness.api.result import Run


_ROUNDING = 1e-6
"""A share that is the same in all runs still seems to vary by so little."""


@click.command()
@click.argument("scenario")
@click.option(
    "--runs",
    type=options.WholeNumber(min=3),
    default=5,
    show_default=True,
    metavar="N",
    help="How many runs to make.",
)
@options.declared_by(RunOptions)
@options.as_json
def command(scenario: str, runs: int, as_json: bool, **given: Any) -> int:
    """Run SCENARIO several times without a change, and report which changes its gates can detect.

    For each figure: how much runs of one build differ, the smallest change that a gate detects with 95 % power, what
    longer phases or more runs would gain, and the tightest limit that an unchanged build keeps. The result is stored
    for this scenario, profile and environment. Later runs warn of gates that are tighter.

    \b
      harness calibrate scenarios/flash_sale.py --profile nightly --runs 5
    """
    from harness.cli.std_streams import complain, print_json
    from harness.engine.fork_server import ForkServer

    control.interrupts.raise_on_signals()
    done: list[Run] = []
    with ForkServer() as fork_server:  # one for all runs, as it takes longer to start than the rest of a run
        for number in range(1, runs + 1):
            with make_observer() as observer:
                observer.notify(message("calibrating", number=number, runs=runs))
                asked = RunOptions(scenario=scenario, **given, watcher=observer)
                try:
                    finished = api.run.run_scenario(with_target_from(os.environ, asked), fork_server)
                except api.result.RunInterrupted:
                    return ExitCode.INTERRUPTED
            done.append(finished)
    usable = [finished for finished in done if not finished.verdict.broken]
    valid = [finished.folder for finished in usable]
    if len(valid) < 3:
        raise HarnessError(
            "calibrate-too-few",
            where=scenario,
            valid=len(valid),
            runs=runs,
            reason="".join(done[-1].summary.reasons[:1]),
        )
    calibration = control.calibration.calibrate(valid, Path(given["out"]))
    for phase, count in beside_others([finished.summary for finished in usable]).items():
        complain(str(message("calibrate-beside-others", phase=phase, count=count, runs=len(usable))))
    if as_json:
        print_json(calibration.model_dump(mode="json"))
    else:
        _show(calibration)
    return ExitCode.PASS


def beside_others(runs: Sequence[Summary]) -> Counter[str]:
    """In how many of the runs others took the cores for most of a phase, by its name."""
    phases = (phase for run in runs for phase in run.phases if phase.measured)
    return Counter(phase.name for phase in phases if phase.contamination and not phase.contamination.left_out)


def _show(calibration: Calibration) -> None:
    from harness.cli.terminal import Terminal
    from harness.record.measurement import ALL
    from harness.report import formatting

    table = Table("phase", "metric", "mean", "between runs", "detects", "twice as long", "four runs", "gate", box=None)
    for floor in calibration.floors:
        if floor.endpoint != ALL:
            continue
        shown = formatting.points if floor.unit == "%" else formatting.change
        changes = (floor.between, floor.detectable, floor.detectable_twice_as_long, floor.detectable_pooled)
        table.add_row(
            *map(Text, (floor.phase, _figure(floor), formatting.in_unit(floor.mean, floor.unit))),
            *(Text(shown(change).lstrip("+±")) for change in changes),
            Text(gate_of(floor)),
        )
    console = Terminal()
    runs = formatting.counted(len(calibration.run_ids), "run")
    console.print(
        Text(f"{calibration.scenario} · {calibration.profile} · environment {calibration.fingerprint}: {runs}")
    )
    console.print(table)
    console.print(Text(str(message("calibrate-columns"))))


def _figure(floor: NoiseFloor) -> str:
    return f"{floor.metric} at equal machine speed" if floor.at_equal_speed else floor.metric


def gate_of(floor: NoiseFloor) -> str:
    """The tightest gate, its limit rounded up to two digits; of a figure that never varied there is none to propose."""
    if floor.limit < _ROUNDING:
        return "–"
    percent = 100 * floor.limit
    step = 10 ** (math.floor(math.log10(percent)) - 1)
    amount = f"{math.ceil(percent / step) * step:.10g}%"
    higher = RUN_METRICS[floor.metric].better == "higher"
    return f"{floor.metric} {'>= baseline -' if higher else '<= baseline +'} {amount}"

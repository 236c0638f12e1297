"""Records real runs and duets of the targets in ``verdict_target.py`` for ``verdicts.py``.

A folder of recordings has ``recordings.jsonl``, a line a recording, and the run folders that ``harness run`` and
``harness duet`` leave.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import nullcontext
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

import click

import harness
from benchmarks.neighbour import neighbour
from benchmarks.verdict_target import KINDS
from harness.record.run_folder import RunFolder
from harness.recording.run import RunRecording, read_run

_HERE = Path(__file__).parent
_INDEX = "recordings.jsonl"
PHASE = "steady"
USERS = 5

_PROFILE = """
[[phase]]
name = "warm-up"
kind = "ramp"
users = {users}
duration = "{warm_up_s:g}s"

[[phase]]
name = "{phase}"
kind = "steady"
users = {users}
duration = "{seconds:g}s"

[sampling]
memory = false
"""


@dataclass(frozen=True, slots=True)
class Wanted:
    """One recording: a run of a build with ``more`` percent work in its search, or a duet of it with the usual one."""

    kind: Literal["run", "duet"]
    target: str
    more: float
    noisy: bool
    """Whether a neighbour takes a third of the cores."""
    seconds: float
    starts: int = 1


@dataclass(frozen=True, slots=True)
class Recorded:
    """A recording and its run folder."""

    wanted: Wanted
    folder: Path

    def open(self) -> RunRecording:
        return read_run(RunFolder.open(self.folder))


STARTS = 8
"""Of each build in a duet: with fewer, the intervals know too little of how starts differ."""
_RUN_S, _AROUND_S = 20.0, 8.0
"""Of a run that is a night's source: the load, and what starts and judges it."""
_ORDER_S = 2.0 * STARTS
"""A block of each start."""


def plan_nights(*, minutes: float) -> list[Wanted]:
    """Runs only, a quarter of them with a neighbour, and some of a slower build; half a minute each."""
    more = (0.0, 0.0, 20.0, 0.0)
    noisy = (False, False, False, True)
    order = [(target, *each) for each in zip(more, noisy, strict=True) for target in KINDS]
    count = round(60 * minutes / (_RUN_S + _AROUND_S))
    return [Wanted("run", *order[number % len(order)], _RUN_S) for number in range(count)]


def plan(*, minutes: float, short: bool = False) -> list[Wanted]:
    """What to record in this many minutes, in an order that spreads each kind over the whole time."""
    if short:
        return [Wanted("duet", "async", 0, False, 4), Wanted("run", "threaded", 0, False, 4)]
    scale = minutes / 28
    duet_s, known_s = (_ORDER_S * round(seconds * scale / _ORDER_S) for seconds in (80, 32))
    run_s = round(20 * scale)
    found: list[Wanted] = []
    for more, noisy_duet in zip((2.0, 5.0, 10.0, 20.0), (False, True, False, None), strict=True):
        for target in KINDS:
            found += [Wanted("run", target, 0, noisy, run_s) for noisy in (False, True, False)]
            found.append(Wanted("duet", target, more, False, known_s, starts=STARTS))
            if noisy_duet is not None:
                found.append(Wanted("duet", target, 0, noisy_duet, duet_s, starts=STARTS))
    return found + [Wanted("run", target, 20.0, False, run_s) for target in KINDS]


def record(wanted: Iterable[Wanted], folder: Path, *, minutes: float) -> None:
    """Make the recordings one after the other, as many as fit into the minutes. Those of an earlier call are kept."""
    folder.mkdir(parents=True, exist_ok=True)
    began, earlier = time.monotonic(), len(list(folder.glob("*/")))
    for number, each in enumerate(wanted, earlier):
        if time.monotonic() - began + each.seconds > 60 * minutes:
            click.echo(f"no time for {each}", err=True)
            continue
        with neighbour(number) if each.noisy else nullcontext():
            run_folder = _record(each, folder / f"{number:03}")
        entry = {**asdict(each), "folder": str(run_folder.relative_to(folder))}
        with (folder / _INDEX).open("a") as index:
            index.write(json.dumps(entry) + "\n")
        click.echo(f"{time.monotonic() - began:6.0f} s  {entry}", err=True)


def recordings(folder: Path) -> Iterator[Recorded]:
    """What was recorded. Raises :class:`click.ClickException` if nothing was."""
    index = folder / _INDEX
    if not index.is_file():
        raise click.ClickException(f"{folder} has no recordings; make some with --record {folder}")
    for line in index.read_text().splitlines():
        entry = json.loads(line)
        yield Recorded(folder=folder / entry.pop("folder"), wanted=Wanted(**entry))


def _record(wanted: Wanted, out: Path) -> Path:
    out.mkdir()
    profile = out / "verdicts.toml"
    warm_up_s = 1.0 if wanted.seconds < 10 else 3.0
    profile.write_text(_PROFILE.format(users=USERS, warm_up_s=warm_up_s, phase=PHASE, seconds=wanted.seconds))
    scenario, usual, build = (
        _HERE / "verdict_scenario.py",
        _command(wanted.target, 0),
        _command(wanted.target, wanted.more),
    )
    if wanted.kind == "duet":
        done = harness.duet(scenario, a=usual, b=build, starts=wanted.starts, profile=profile, out=out, seed=1)
    else:
        done = harness.run(scenario, target=build, profile=profile, out=out, seed=1)
    if done.verdict.broken:
        raise click.ClickException(f"{wanted}: {done.verdict}")
    return Path(done.folder.path)


def _command(target: str, more: float) -> str:
    return f"{sys.executable} {_HERE / 'verdict_target.py'} {target} --port {{port}} --more {more:g}"

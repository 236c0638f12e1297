"""Measures how often the function that grew is named: growth of random functions on three servers.

Recording puts load on servers that have nothing to do with the shop: one event loop, a thread for each connection, and
two worker processes. Unchanged servers are recorded several times, and some with a function that really works more.
Judging then compares runs as ``harness run`` does:

- *clean* cases: each unchanged run against others of its server, ``--baseline`` of them together;
- *drawn* cases: the same, with the samples of a random function multiplied, and the clocks with them. All noise
  between and within runs is real; only the growth is drawn, so there can be as many cases as are needed;
- *real* cases: a changed server against unchanged runs.

    uv run python benchmarks/attribution.py --record /tmp/attribution --judge /tmp/attribution
"""

from __future__ import annotations

import os
import random
import shutil
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path

import click
import numpy as np

import harness
from benchmarks.neighbour import neighbour
from benchmarks.output import run_command, show
from benchmarks.simulated_growth import with_growth
from harness.analysis.attribution import Attribution, attribution_of
from harness.analysis.measurement import measure
from harness.record.measurement import Baseline, Measurement
from harness.record.run_folder import RunFolder, write_json
from harness.recording import open_recording
from harness.recording.run import read_run

RATES = {"asynchronous": 240, "threaded": 200, "prefork": 280}
"""Requests a second: they keep each server busy for 30 to 80 % of a core, so there are samples to count."""
GROWTHS = (0.03, 0.05, 0.1, 0.2, 0.5, 1.0)
"""As shares of the CPU time of a request."""
CHANGES = {
    "asynchronous": ("tokenize:1.3", "checksum:3", "as_json:1.5", "score:2"),
    "threaded": ("balance:1.3", "interest:1.5", "signature:1.5", "packed:1.6"),
    "prefork": ("normalized:1.6", "letters:1.6", "similarity:1.4", "load:1.6"),
}
PATHS = {
    "asynchronous": ("/feed?first=", "/article?number="),
    "threaded": ("/signed?account=", "/packed?account="),
    "prefork": ("/search?number=", "/city?number="),
}
_SCENARIO = """
import random
from harness import HttpUser
from locust import task

class Visitor(HttpUser):
    @task(2)
    def first(self):
        self.client.get(f"{first}{{random.randrange(100)}}", name="{first}")

    @task(1)
    def second(self):
        self.client.get(f"{second}{{random.randrange(100)}}", name="{second}")
"""


@dataclass(frozen=True)
class Case:
    """One comparison: what really grew (empty: nothing), by which share of the CPU time, and where it was named."""

    kind: str
    server: str
    growth: float
    place: int | None
    """Among suspects and candidates, from 0; None if it was not named."""
    sure: bool
    suspects: int


def _record(out: Path, server: str, change: str, number: int, seconds: float, overhead: str) -> None:
    """One run, kept as ``SERVER/CHANGE-NUMBER``."""
    first, second = PATHS[server]
    parent = out / server
    parent.mkdir(parents=True, exist_ok=True)
    scenario = parent / "visitors.py"
    scenario.write_text(_SCENARIO.format(first=first, second=second))
    os.environ["GROW"] = change
    done = harness.run(
        scenario,
        target=f"{sys.executable} -m benchmarks.attribution_targets.{server} {{port}}",
        phases=[
            harness.ramp(users=1, over=min(2.0, seconds / 3)),
            harness.steady(rate=RATES[server], max_users=60, hold=f"{seconds:g}s"),
        ],
        gates=[],
        out=parent / "runs",
        set={"sampling.memory": False, "sampling.cpu.max_overhead": overhead},
    )
    Path(done.folder.path).rename(parent / f"{change.replace(':', '-') or 'same'}-{number}")


def _baselines(runs: Sequence[Measurement], fingerprint: str, size: int) -> list[Baseline]:
    """As many baselines as there are runs, of ``size`` runs each, so that each run is in equally many."""
    of_first = runs[0]
    return [
        Baseline(
            scenario=of_first.scenario,
            profile=of_first.profile,
            fingerprint=fingerprint,
            runs=[*runs[first:], *runs[:first]][:size],
        )
        for first in range(len(runs))
    ]


def _compare(folder: RunFolder, baseline: Baseline) -> Attribution:
    write_json(folder.comparison, baseline.model_dump(by_alias=True))
    return attribution_of(read_run(folder))


def _case(kind: str, server: str, growth: float, function: str, found: Attribution) -> Case:
    named = [*found.suspects, *found.candidates]
    places = [
        place
        for place, suspect in enumerate(named)
        if function and function in (f"{suspect.function} ({suspect.file})", suspect.inside, suspect.function)
    ]
    place = places[0] if places else None
    return Case(kind, server, growth, place, place is not None and place < len(found.suspects), len(found.suspects))


def _cases(out: Path, drawn: int, growths: Sequence[float], size: int) -> Iterator[Case]:
    rng = np.random.default_rng(1)
    for server in sorted(path.name for path in out.iterdir() if path.is_dir()):
        folders = {path.name: RunFolder.open(path) for path in sorted((out / server).iterdir()) if "-" in path.name}
        same = [folder for name, folder in folders.items() if name.startswith("same-")]
        machine = open_recording(same[0]).environment
        assert machine is not None
        runs = [measure(open_recording(folder)) for folder in same]
        compared = [
            (now, baseline)
            for at, now in enumerate(same)
            for baseline in _baselines([*runs[:at], *runs[at + 1 :]], machine.fingerprint, size)
        ]
        for now, baseline in compared:
            yield _case("clean", server, 0.0, "", _compare(now, baseline))
        for growth in growths:
            for at in rng.integers(0, len(compared), drawn):
                now, baseline = compared[at]
                with tempfile.TemporaryDirectory() as scratch:
                    copy, function = with_growth(now, Path(scratch) / now.path.name, rng, growth)
                    yield _case("drawn", server, growth, function, _compare(copy, baseline))
        for name, folder in folders.items():
            function = name.partition("-")[0]
            if function != "same":
                for baseline in _baselines(runs, machine.fingerprint, size):
                    found = _compare(folder, baseline)
                    yield _case("real", server, _real_growth(folder, baseline), function, found)


def _real_growth(now: RunFolder, baseline: Baseline) -> float:
    """By how much the CPU time of a request grew, by the kernel's clocks."""
    before_ms = np.mean([_clock_ms(run) for run in baseline.runs])
    return float(_clock_ms(measure(open_recording(now))) / before_ms - 1)


def _clock_ms(run: Measurement) -> float:
    cost_ms = next(phase.profile.clock_ms for phase in run.phases if phase.profile)
    assert cost_ms is not None
    return cost_ms


def _record_all(
    out: Path, wanted: list[tuple[str, str, int]], seconds: float, overhead: str, *, with_neighbour: bool
) -> None:
    """Servers with changes and numbers, in random order."""
    random.Random(1).shuffle(wanted)
    with neighbour(1) if with_neighbour else nullcontext():
        for done, (server, change, number) in enumerate(wanted, 1):
            click.echo(f"{done} of {len(wanted)}: {server} {change or 'unchanged'}", err=True)
            _record(out, server, change, number, seconds, overhead)


@click.command()
@click.option("--record", "record_to", type=click.Path(path_type=Path), help="Record servers into this folder.")
@click.option("--judge", "judge_from", type=click.Path(path_type=Path, exists=True), help="Compare what was recorded.")
@click.option("--runs", default=5, show_default=True, help="Unchanged runs of each server.")
@click.option("--seconds", default=60.0, show_default=True, help="Of each run.")
@click.option("--overhead", default="2%", show_default=True, help="How much of the machine py-spy may use.")
@click.option("--neighbour", "with_neighbour", is_flag=True, help="Record beside one that takes a third of the cores.")
@click.option("--changes/--no-changes", default=True, show_default=True, help="Record changed servers, too.")
@click.option("--baseline", "size", default=1, show_default=True, help="Runs that each one is compared with.")
@click.option("--drawn", default=40, show_default=True, help="Cases of each server and growth.")
@click.option("--short", is_flag=True, help="Some seconds, only to check that it works.")
def main(
    record_to: Path | None,
    judge_from: Path | None,
    runs: int,
    seconds: float,
    overhead: str,
    with_neighbour: bool,
    changes: bool,
    size: int,
    drawn: int,
    short: bool,
) -> None:
    """Measure how often the function that grew is named."""
    if short:
        with tempfile.TemporaryDirectory() as folder:
            _record_all(Path(folder), [("threaded", "", 0)], 3.0, overhead, with_neighbour=False)
            shutil.copytree(Path(folder, "threaded", "same-0"), Path(folder, "threaded", "same-1"))
            _judge(Path(folder), 1, GROWTHS[-1:], size)
        return
    if record_to is not None:
        wanted = [(server, "", number) for server in CHANGES for number in range(runs)]
        wanted += [(server, change, 0) for server in CHANGES for change in CHANGES[server] if changes]
        _record_all(record_to, wanted, seconds, overhead, with_neighbour=with_neighbour)
    if judge_from is not None:
        _judge(judge_from, drawn, GROWTHS, size)


def _label(case: Case) -> str:
    if case.kind == "clean":
        return "none"
    if case.kind == "drawn":
        return f"{case.growth:.0%}"
    return "real, 3% or more" if case.growth >= GROWTHS[0] else "real, less"


def _judge(out: Path, drawn: int, growths: Sequence[float], size: int) -> None:
    groups: dict[tuple[str, str], list[Case]] = defaultdict(list)
    for case in _cases(out, drawn, growths, size):
        label = _label(case)
        groups[case.kind, label].append(case)
        groups[case.server, label].append(case)
    rows, values = [], []
    for (kind, label), cases in groups.items():
        first = [case.place == 0 and case.sure for case in cases]
        three = [case.place is not None and case.place < 3 for case in cases]
        none = [case.suspects == 0 for case in cases]
        figures = {
            "cases": len(cases),
            "first": float(np.mean(first)),
            "in_three": float(np.mean(three)),
            "no_suspect": float(np.mean(none)),
        }
        values.append({"kind": kind, "growth": label, **figures})
        rows.append(
            [
                kind,
                label,
                str(len(cases)),
                *(f"{100 * figures[name]:.1f} %" for name in ("first", "in_three", "no_suspect")),
            ]
        )
    show(
        "How often the function that grew is the first suspect, or among the first three suspects and candidates",
        ["cases", "growth", "number", "first", "in three", "no suspect"],
        rows,
        {"benchmark": "attribution", "groups": values},
    )


if __name__ == "__main__":
    run_command(main)

"""Measures how well steps of a history are found: `harness history` beside Apache Otava, by their F1.

Both get the same series:

- Seeded ones: steps of 10 to 100 %, drifts and outliers laid over what 60 real runs of one build measured
  (``recorded_runs.csv``, whose first lines say how). A step counts as found within two runs. A drift is no step.
- With ``--tcpd``, a checkout of the Turing Change Point Dataset (github.com/alan-turing-institute/TCPD): all its
  series of one value a time that it may redistribute. F1 and margin (5) are those of its authors (van den Burg &
  Williams 2020, arXiv:2003.06222): against all annotators, the start of a series counting as one.

Otava runs with its defaults, in an environment that uv makes for it.

    uv run python benchmarks/change_points.py --tcpd ~/TCPD
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

import click
import numpy as np

from benchmarks.output import show_result, show_table
from harness.analysis.history import new_levels
from harness.analysis.samples import Floats
from harness.metrics import RUN_METRICS

_OTAVA = "apache-otava==0.8.0"
_FIND = """
import json, sys
from otava.analysis import compute_change_points
found = [[int(point.index) for point in compute_change_points(series)[0]] for series in json.load(sys.stdin)]
print(json.dumps(found))
"""
_RUNS = Path(__file__).with_name("recorded_runs.csv")
_KINDS = ("unchanged", "outliers", "a drift", "a step", "steps and outliers")
_SHORTEST_SERIES = 20
_NEAR_RUNS, _NEAR_TCPD = 2, 5


@dataclass(frozen=True)
class Series:
    """A series, the metric that it is read as, and where each annotator sees a change."""

    kind: str
    metric: str
    values: list[float]
    annotations: list[list[int]]


def seeded(count: int) -> Iterator[Series]:
    """``count`` series of each kind."""
    rng = np.random.default_rng(1)
    noises = _recorded()
    for kind in _KINDS:
        for _ in range(count):
            metric, whole = noises[rng.integers(len(noises))]
            n = int(rng.integers(_SHORTEST_SERIES, len(whole) + 1))
            first = int(rng.integers(len(whole) - n + 1))
            values = whole[first : first + n][:: rng.choice([-1, 1])].copy()
            steps: list[int] = []
            if "step" in kind:
                steps = _places(rng, n, int(rng.integers(1, 4)) if "steps" in kind else 1)
            for at in steps:
                values[at:] *= np.exp(rng.choice([-1, 1]) * rng.uniform(np.log(1.1), np.log(2)))
            if "outliers" in kind:
                values *= np.where(rng.random(n) < 0.05, rng.uniform(1.5, 3, n), 1)
            if "drift" in kind:
                values *= np.exp(np.linspace(0, rng.choice([-1, 1]) * rng.uniform(0.05, 0.2), n))
            yield Series(kind, metric, values.tolist(), [steps])


def _recorded() -> list[tuple[str, Floats]]:
    """The recorded figures, by metric: one run each, in order."""
    names, *rows = (line.split(",") for line in _RUNS.read_text().splitlines() if not line.startswith("#"))
    return [(name.split()[0], column) for name, column in zip(names, np.array(rows, dtype=float).T, strict=True)]


def _places(rng: np.random.Generator, n: int, count: int, apart: int = 5) -> list[int]:
    """Where ``count`` steps lie, as far apart as that, from the ends too."""
    free = n - apart * (count + 1)
    return [int(at) + apart * (number + 1) for number, at in enumerate(sorted(rng.integers(0, free + 1, count)))]


def tcpd(checkout: Path) -> Iterator[Series]:
    """The annotated series of one value a time. A missing value is the one before it."""
    annotations = json.loads((checkout / "annotations.json").read_text())
    for path in sorted(checkout.glob("datasets/*/*.json")):
        dataset = json.loads(path.read_text())
        if dataset["n_dim"] == 1 and dataset["name"] in annotations:
            values: list[float] = []
            for value in dataset["series"][0]["raw"]:
                values.append(values[-1] if value is None else float(value))
            yield Series("TCPD", "mean", values, list(annotations[dataset["name"]].values()))


def otava(series: Sequence[Series]) -> list[list[int]]:
    """What Otava finds in each."""
    command = ["uv", "run", "--quiet", "--no-project", "--isolated", "--python", sys.executable, "--with", _OTAVA]
    asked = json.dumps([one.values for one in series])
    done = subprocess.run([*command, "python", "-c", _FIND], input=asked, stdout=subprocess.PIPE, text=True, check=True)
    found: list[list[int]] = json.loads(done.stdout)
    return found


def ours(series: Sequence[Series]) -> list[list[int]]:
    """What ``harness history`` finds in each."""
    return [new_levels(one.values, RUN_METRICS[one.metric]) for one in series]


def matched(true: Collection[int], found: Collection[int], margin: int) -> int:
    """How many of ``true`` have one of ``found`` near them, each used once."""
    left, count = set(found), 0
    for at in sorted(true):
        near = min(left, key=lambda other: abs(other - at), default=None)
        if near is not None and abs(near - at) <= margin:
            left.remove(near)
            count += 1
    return count


def tcpd_f1(annotations: Sequence[Collection[int]], found: Collection[int]) -> float:
    """The F-measure of van den Burg & Williams (2020), section 4.2."""
    each, marked = [{0, *steps} for steps in annotations], {0, *found}
    precision = matched(set().union(*each), marked, _NEAR_TCPD) / len(marked)
    recall = float(np.mean([matched(steps, marked, _NEAR_TCPD) / len(steps) for steps in each]))
    return 2 * precision * recall / (precision + recall)


@dataclass
class Score:
    """Of seeded series: steps found, steps missed, and false ones."""

    found: int = 0
    missed: int = 0
    false: int = 0

    def __add__(self, other: Score) -> Score:
        return Score(self.found + other.found, self.missed + other.missed, self.false + other.false)

    @classmethod
    def of(cls, series: Series, marked: Collection[int]) -> Score:
        (steps,) = series.annotations
        found = matched(steps, marked, _NEAR_RUNS)
        return cls(found, len(steps) - found, len(marked) - found)

    @property
    def f1(self) -> float:
        whole = 2 * self.found + self.missed + self.false
        return 2 * self.found / whole if whole else 1.0


@click.command(help=__doc__, context_settings={"max_content_width": 120})
@click.option("--series", "count", type=click.IntRange(min=1), default=200, show_default=True, help="Of each kind.")
@click.option("--tcpd", "checkout", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--short", is_flag=True, help="A few series, only to check that it works.")
def main(count: int, checkout: Path | None, short: bool) -> None:
    drawn = [*seeded(5 if short else count)]
    annotated = [*tcpd(checkout)] if checkout else []
    marks = {"ours": ours([*drawn, *annotated]), "otava": otava([*drawn, *annotated])}
    result = {"seeded": _compare_seeded(drawn, {name: found[: len(drawn)] for name, found in marks.items()})}
    if annotated:
        result["tcpd"] = _compare_annotated(annotated, {name: found[len(drawn) :] for name, found in marks.items()})
    else:
        click.echo("Turing Change Point Dataset: left out; --tcpd names a checkout of it", err=True)
    show_result(result)


Marks = dict[str, list[list[int]]]
"""Where each method sees a step, in each series."""


def _compare_seeded(series: Sequence[Series], marks: Marks) -> dict[str, Any]:
    scores = {name: [*map(Score.of, series, found)] for name, found in marks.items()}
    rows = [
        _row(
            kind,
            *(
                _sum(score for one, score in zip(series, each, strict=True) if one.kind == kind)
                for each in scores.values()
            ),
        )
        for kind in _KINDS
    ]
    totals = {name: _sum(each) for name, each in scores.items()}
    columns = ["series with", "steps", "ours: found", "false", "F1", "Otava: found", "false", "F1"]
    show_table(f"{len(series)} seeded series", columns, [*rows, _row("all", *totals.values())])
    return {"series": len(series)} | {name: vars(total) | {"f1": total.f1} for name, total in totals.items()}


def _sum(scores: Iterable[Score]) -> Score:
    return sum(scores, Score())


def _row(kind: str, *scores: Score) -> list[str]:
    steps = scores[0].found + scores[0].missed
    cells = [(str(score.found), str(score.false), f"{score.f1:.3f}" if steps else "–") for score in scores]
    return [kind, str(steps), *chain.from_iterable(cells)]


def _compare_annotated(series: Sequence[Series], marks: Marks) -> dict[str, Any]:
    nothing: list[list[int]] = [[] for _ in series]
    f1 = {
        name: float(np.mean([tcpd_f1(one.annotations, each) for one, each in zip(series, found, strict=True)]))
        for name, found in (marks | {"none": nothing}).items()
    }
    show_table(
        f"{len(series)} series of the Turing Change Point Dataset",
        ["", "ours", "Otava", "no change points"],
        [["mean F1", *(f"{value:.3f}" for value in f1.values())]],
    )
    return {"series": len(series), "f1": f1}


if __name__ == "__main__":
    main()

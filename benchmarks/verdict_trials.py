"""Trials of duets and nightly gates on resampled recordings: what is found, how often rightly."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass, field
from functools import lru_cache
from multiprocessing import get_context
from pathlib import Path
from typing import Any, Literal

import numpy as np

from benchmarks.resampled_duets import DuetTrials, RecordedDuet
from benchmarks.resampled_nights import WINDOW, RecordedRun, nights
from benchmarks.resampling import Effect
from benchmarks.verdict_recordings import Recorded, recordings
from harness.analysis.duet import paired
from harness.analysis.figures import phase_summary
from harness.analysis.intervals import wilson
from harness.gates.run_gates import run_results
from harness.gates.verdict import decide
from harness.metrics import RUN_METRICS
from harness.plan.duet import B
from harness.plan.expression import parse_requirement
from harness.plan.model.run import Gate
from harness.record.changes import Change
from harness.record.gate_result import GateResult
from harness.record.run_folder import RunFolder

CHANGED = "GET /search"
FIGURES: Mapping[str, str] = {"cpu_per_request": "", "mean": CHANGED, "p50": CHANGED}
"""What is gated, and of which endpoint."""
DUET_GATES = {"cpu_per_request": "baseline", "mean": "baseline", "p50": "baseline"}
"""Whether B is shown to be slower at all: a gate with a margin finds only what exceeds it."""
NIGHT_GATES = {"cpu_per_request": "baseline + 5%", "mean": "baseline + 10%", "p50": "baseline + 10%"}
"""Half of the changes that they are to find."""


def gates(limits: Mapping[str, str]) -> list[Gate]:
    """The gates with these limits."""
    return [
        Gate(comparison=parse_requirement(f"{metric} <= {limit}"), endpoint=FIGURES[metric] or None)
        for metric, limit in limits.items()
    ]


EACH_CHANGE = 3
"""How many trials without a change there are for one of each change."""
What = Literal["duet", "night", "mixed"]
"""Mixed: nights beside a neighbour, judged against a window of quiet ones."""


def is_gated(change: Change) -> bool:
    """Whether a change is of a gated figure."""
    return FIGURES.get(change.metric) == (change.endpoint or "")


@dataclass(frozen=True, slots=True, order=True)
class Level:
    """A change of B or of a night: CPU per request, and the response times of :data:`CHANGED`, as shares."""

    cpu: float = 0.0
    times: float = 0.0

    @property
    def effect(self) -> Effect:
        return Effect(1 + self.cpu, 1 + self.times, CHANGED)

    def of(self, metric: str) -> float:
        return self.cpu if metric == "cpu_per_request" else self.times


@dataclass(frozen=True, slots=True)
class Share:
    """So many of ``n`` trials, with Wilson's interval (1927)."""

    count: int
    n: int

    @property
    def value(self) -> float:
        return self.count / self.n if self.n else 0.0

    @property
    def interval(self) -> tuple[float, float]:
        return wilson(self.value, self.n) if self.n else (0.0, 1.0)

    def text(self) -> str:
        """In per cent, such as ``97.3 (94.5–98.7)``."""
        low, high = self.interval
        return f"{100 * self.value:.1f} ({100 * low:.1f}–{100 * high:.1f})"


@dataclass(slots=True)
class Tally:
    """What came of trials of one kind."""

    verdicts: Counter[str] = field(default_factory=Counter)
    gates: Counter[tuple[str, str]] = field(default_factory=Counter)
    """By metric and status."""
    covered: Counter[str] = field(default_factory=Counter)
    """By metric: how often the interval of the change held the true one."""
    widths: dict[str, list[float]] = field(default_factory=dict)

    @property
    def n(self) -> int:
        return self.verdicts.total()

    def add(self, verdict: str, gates: Iterable[GateResult]) -> None:
        """Count what came of a trial."""
        self.verdicts[verdict] += 1
        self.gates.update((gate.require.split()[0], gate.status) for gate in gates)

    def add_interval(self, metric: str, low: float, high: float, truth: float) -> None:
        """Count whether the interval of a change held the true one."""
        self.covered[metric] += int(low <= truth <= high)
        self.widths.setdefault(metric, []).append(high - low)

    def __add__(self, other: Tally) -> Tally:
        widths = {
            name: self.widths.get(name, []) + other.widths.get(name, []) for name in {*self.widths, *other.widths}
        }
        return Tally(self.verdicts + other.verdicts, self.gates + other.gates, self.covered + other.covered, widths)

    def verdict(self, verdict: str) -> Share:
        return Share(self.verdicts[verdict], self.n)

    def gate(self, metric: str, status: str) -> Share:
        return Share(self.gates[metric, status], self.n)

    def coverage(self, metric: str) -> Share:
        return Share(self.covered[metric], self.n)

    def figures(self, kind: Kind) -> dict[str, Any]:
        """All counts."""
        statuses = ("pass", "fail", "inconclusive")
        return {
            **asdict(kind),
            "n": self.n,
            "verdicts": dict(self.verdicts),
            "gates": {metric: {each: self.gates[metric, each] for each in statuses} for metric in FIGURES},
            "covered": dict(self.covered),
        }


@dataclass(frozen=True, slots=True, order=True)
class Kind:
    """What trials have in common."""

    kind: What
    target: str
    noisy: bool
    """Whether a neighbour took a third of the cores."""
    level: Level


@dataclass(frozen=True, slots=True)
class Trials:
    """A number of trials; what they draw follows from their fields."""

    kind: What
    target: str
    noisy: bool
    levels: tuple[Level, ...]
    """Of a duet one; of nights the first is none."""
    count: int
    seconds: int
    seed: int


def run_trials(folder: Path, wanted: Sequence[Trials], jobs: int) -> dict[Kind, Tally]:
    """What came of all trials."""
    found: dict[Kind, Tally] = {}
    # Forked from a process with threads, one may wait for ever for a lock that a thread held at that moment.
    with ProcessPoolExecutor(jobs, mp_context=get_context("spawn")) as pool:
        for trials, tallies in zip(wanted, pool.map(_carry_out, [folder] * len(wanted), wanted), strict=True):
            for level, tally in tallies.items():
                kind = Kind(trials.kind, trials.target, trials.noisy, level)
                found[kind] = found.get(kind, Tally()) + tally
    return found


def _carry_out(folder: Path, trials: Trials) -> dict[Level, Tally]:
    rng = np.random.default_rng([trials.seed, trials.noisy, *trials.target.encode()])
    return (_duets if trials.kind == "duet" else _nights)(folder, trials, rng)


def _duets(folder: Path, trials: Trials, rng: np.random.Generator) -> dict[Level, Tally]:
    (level,), tally = trials.levels, Tally()
    source = DuetTrials(
        _recorded_duets(folder, trials.target, trials.noisy), seconds=trials.seconds, effect=level.effect
    )
    asked = gates(DUET_GATES)
    for _ in range(trials.count):
        run = source.make(rng, RunFolder(folder / "resampled"), asked)  # no file of it is read or written
        summaries = [phase_summary(record, run.journal) for record in run.phases if record.variant == B]
        results = [result for gate in asked for result in run_results(gate, run, summaries)]
        tally.add(decide(run, summaries, results).verdict, results)
        for metric, endpoint in FIGURES.items():
            pair = paired(run, run.plan.phases[0], endpoint, RUN_METRICS[metric])
            if pair is not None:
                low, high = pair.effect.bounds()
                tally.add_interval(metric, math.expm1(low), math.expm1(high), level.of(metric))
    return {level: tally}


def _nights(folder: Path, trials: Trials, rng: np.random.Generator) -> dict[Level, Tally]:
    mixed = trials.kind == "mixed"
    usual, judged = (
        _recorded_runs(folder, trials.target, noisy) for noisy in (trials.noisy and not mixed, trials.noisy)
    )
    others = [[run.slower(level.effect) for run in judged] for level in trials.levels[not mixed :]]
    tallies = {level: Tally() for level in trials.levels}
    with nights(usual, gates(NIGHT_GATES), trials.seconds) as series:
        for _ in range(WINDOW):
            series.next(rng)
        for number in range(trials.count):
            summaries = series.next(rng, others[:mixed] if number % EACH_CHANGE else others)
            for level, summary in zip(trials.levels, summaries[mixed:], strict=False):
                tallies[level].add(summary.verdict, summary.gates)
    return tallies


@lru_cache(maxsize=4)
def _recorded_duets(folder: Path, target: str, noisy: bool) -> list[RecordedDuet]:
    return [RecordedDuet.of(each.open()) for each in _of(folder, "duet", target, noisy)]


@lru_cache(maxsize=4)
def _recorded_runs(folder: Path, target: str, noisy: bool) -> list[RecordedRun]:
    return [RecordedRun.of(each.open()) for each in _of(folder, "run", target, noisy)]


def _of(folder: Path, kind: str, target: str, noisy: bool) -> list[Recorded]:
    """The recordings of one build."""
    sought = (kind, target, noisy, 0.0)
    return [
        each
        for each in recordings(folder)
        if (each.wanted.kind, each.wanted.target, each.wanted.noisy, each.wanted.more) == sought
    ]

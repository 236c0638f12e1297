"""Which runs of the baseline a phase is compared with: one rule for all that compare.

A phase of the same name proves little if it put another load on the target or ran on another kind of machine: then the
figures differ because something else was asked for.
"""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass

from harness.analysis.equal_speed import at_equal_speed
from harness.messages import Message, message
from harness.record.measurement import Interval, Measurement, PhaseMeasurement, UndecidedGate
from harness.recording.recording import Recording

FEWEST_BEFORE = 3
"""Undecided runs are compared with at least this many earlier runs."""


def of_same_load(recording: Recording, phase: PhaseMeasurement) -> list[Measurement]:
    """The baseline's runs, latest first, that had this phase with the same load, on the same kind of machine."""
    if recording.baseline is None or _other_machine(recording):
        return []
    others = _other_loads(recording, phase)
    return [
        earlier
        for earlier in recording.baseline.runs
        if earlier.run_id not in others and not _traced_otherwise(earlier, phase)
    ]


def comparable(recording: Recording, phase: PhaseMeasurement) -> list[Measurement]:
    """Of these, the runs whose figures are the target's: their generator was not the limit in this phase."""
    return [earlier for earlier in of_same_load(recording, phase) if not _limited(earlier, phase)]


@dataclass(frozen=True, slots=True)
class Beside:
    """One figure of a phase, and of each run of the baseline that it is compared with."""

    observed: Interval
    earlier: list[tuple[str, Interval]]
    """Each with its run, the latest first."""
    noise: float | None
    """How much runs of one build were measured to differ here in this figure; None if nobody has calibrated it."""
    slower: float | None = None
    """At equal speed (:mod:`harness.analysis.equal_speed`), by how much the machine was slower than in the baseline;
    None: as measured."""

    @property
    def figures(self) -> list[Interval]:
        """Those of the baseline, the latest first."""
        return [figure for _, figure in self.earlier]


def beside_baseline(
    recording: Recording,
    phase: PhaseMeasurement,
    endpoint: str,
    metric: str,
    *,
    gate: UndecidedGate | None = None,
) -> Beside | None:
    """A figure beside those of the :func:`comparable` runs that have it; None where the phase has none.

    A run in which others took the cores for most of the phase has none of a metric that they change. What is compared
    at equal speed, they do not change. ``gate`` is the one that asks: runs that left it undecided may be of another
    build than those before them.
    """
    observed = phase.endpoints[endpoint].figures.get(metric) if endpoint in phase.endpoints else None
    if observed is None:
        return None
    runs = comparable(recording, phase)
    had = [(run.run_id, part) for run in runs if (part := run.like(phase)) is not None]
    doubtful = undecided_row(recording, [run for run, _ in had], gate) if gate else 0
    equal = at_equal_speed([phase], [part for _, part in had], endpoint, metric, doubtful=doubtful)
    noise = _calibrated(recording, phase, endpoint, metric, at_equal_speed=equal is not None)
    if equal is not None and equal.figures[0] is not None:
        earlier = [(run, figure) for (run, _), figure in zip(had, equal.others, strict=True) if figure is not None]
        return Beside(equal.figures[0], earlier, noise, equal.slower)
    declared = recording.metrics.get(metric)  # None: the figure of a series
    others_matter = declared is None or declared.others_matter
    earlier = [
        (run, part.endpoints[endpoint].figures[metric])
        for run, part in had
        if endpoint in part.endpoints and metric in part.endpoints[endpoint].figures
        if not (others_matter and part.too_contaminated)
    ]
    return Beside(observed, earlier, noise)


def undecided_row(recording: Recording, runs: Sequence[str], gate: UndecidedGate) -> int:
    """How many of the baseline's ``runs``, latest first, have left ``gate`` undecided in a row.

    At least :data:`FEWEST_BEFORE` are left to compare with; while there are no clear ones, the first. Pinned runs are
    no row: who pinned them wants to be compared with all of them.
    """
    assert recording.baseline is not None
    if recording.baseline.window is None:
        return 0
    undecided = [gate in recording.baseline.undecided.get(run_id, ()) for run_id in runs]
    row = undecided.index(False) if False in undecided else len(undecided)
    return max(0, min(row, len(undecided) - FEWEST_BEFORE))


def _calibrated(
    recording: Recording, phase: PhaseMeasurement, endpoint: str, metric: str, *, at_equal_speed: bool
) -> float | None:
    if recording.baseline is None or recording.baseline.calibration is None or _other_machine(recording):
        return None
    if phase.fault:  # runs were calibrated without it
        return None
    return recording.baseline.calibration.between(phase.name, endpoint, metric, at_equal_speed=at_equal_speed)


def why_not_comparable(recording: Recording, phase: PhaseMeasurement) -> Message | None:
    """Why runs of the baseline are left out of :func:`comparable`; None where none is."""
    if recording.baseline is None:
        return None
    if _other_machine(recording):
        assert recording.environment is not None
        return message(
            "baseline-other-machine",
            baseline=recording.baseline.fingerprint,
            here=recording.environment.fingerprint,
            run=shlex.quote(str(recording.folder.path)),
        )
    others, remedy = _other_loads(recording, phase), remedy_of(recording)
    if others:
        loads = ", ".join(dict.fromkeys(others.values()))
        return message("baseline-other-load", baseline=loads, here=phase.goal, remedy=remedy)
    if any(_traced_otherwise(earlier, phase) for earlier in recording.baseline.runs):
        return message("baseline-untraced" if phase.traced else "baseline-traced", phase=phase.name, remedy=remedy)
    if any(_limited(earlier, phase) for earlier in recording.baseline.runs):
        return message("baseline-generator-limited", phase=phase.name)
    if any(_contaminated(earlier, phase) for earlier in recording.baseline.runs):
        return message("both-contaminated" if phase.too_contaminated else "baseline-contaminated", phase=phase.name)
    if phase.fault and not any(earlier.like(phase) for earlier in recording.baseline.runs):
        return message("baseline-without-fault", fault=phase.fault, phase=phase.name, remedy=remedy)
    return None


def remedy_of(recording: Recording) -> Message:
    """How later runs come to be compared with this one, where the baseline has nothing like it."""
    assert recording.baseline is not None
    if recording.baseline.window is not None:
        return message("baseline-remedy-window")
    return message("baseline-remedy-pinned", run=shlex.quote(str(recording.folder.path)))


def _other_machine(recording: Recording) -> bool:
    assert recording.baseline is not None
    return recording.environment is not None and recording.environment.fingerprint != recording.baseline.fingerprint


def _other_loads(recording: Recording, phase: PhaseMeasurement) -> dict[str, str]:
    """The load of the runs that had this phase with another one, by run-id."""
    assert recording.baseline is not None
    return {
        earlier.run_id: part.goal
        for earlier in recording.baseline.runs
        if (part := earlier.like(phase)) is not None and part.goal and _load(part.goal) != _load(phase.goal)
    }


def _load(goal: str) -> str:
    """A goal without its words' endings: earlier versions wrote ``1 users``."""
    return goal.replace("users", "user")


def _traced_otherwise(earlier: Measurement, phase: PhaseMeasurement) -> bool:
    """Whether one of the two was traced and the other not: instrumentation alone may take as long as a request does."""
    part = earlier.like(phase)
    return part is not None and part.traced != phase.traced


def _limited(earlier: Measurement, phase: PhaseMeasurement) -> bool:
    part = earlier.like(phase)
    return part is not None and bool(part.generator_limited)


def _contaminated(earlier: Measurement, phase: PhaseMeasurement) -> bool:
    part = earlier.like(phase)
    return part is not None and part.too_contaminated

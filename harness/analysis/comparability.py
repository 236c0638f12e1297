"""Which runs of the baseline a phase is compared with: one rule for gates, changes, suspects and flame graphs.

A phase of the same name proves little if it put another load on the target or ran on another kind of machine: then the
figures differ because something else was asked for.
"""

from __future__ import annotations

from harness.messages import Message, message
from harness.record.measurement import Interval, Measurement, PhaseMeasurement
from harness.recording.recording import Recording


def of_same_load(recording: Recording, phase: PhaseMeasurement) -> list[Measurement]:
    """The baseline's runs, latest first, that had this phase with the same load, on the same kind of machine."""
    if recording.baseline is None or _other_machine(recording):
        return []
    others = _other_loads(recording, phase)
    return [earlier for earlier in recording.baseline.runs if earlier.run_id not in others]


def comparable(recording: Recording, phase: PhaseMeasurement) -> list[Measurement]:
    """Of these, the runs whose figures are the target's: their generator was not the limit in this phase."""
    return [earlier for earlier in of_same_load(recording, phase) if not _limited(earlier, phase)]


def earlier_figures(recording: Recording, phase: PhaseMeasurement, endpoint: str, metric: str) -> list[Interval]:
    """One figure of each of the :func:`comparable` runs that has it, latest first.

    A run in which others took the cores for most of the phase has none of a metric that they change.
    """
    runs = comparable(recording, phase)
    if recording.metrics[metric].others_matter:
        runs = [earlier for earlier in runs if not _contaminated(earlier, phase)]
    found = (earlier.figure(phase.name, endpoint, metric, phase.variant) for earlier in runs)
    return [figure for figure in found if figure is not None]


def calibrated_noise(recording: Recording, phase: PhaseMeasurement, endpoint: str, metric: str) -> float | None:
    """How much runs of one build were measured to differ here in this figure; None if nobody has calibrated it."""
    if recording.baseline is None or recording.baseline.calibration is None or _other_machine(recording):
        return None
    return recording.baseline.calibration.between(phase.name, endpoint, metric)


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
            run=str(recording.folder.path),
        )
    others = _other_loads(recording, phase)
    if others:
        return message("baseline-other-load", baseline=", ".join(dict.fromkeys(others.values())), here=phase.goal)
    if any(_limited(earlier, phase) for earlier in recording.baseline.runs):
        return message("baseline-generator-limited", phase=phase.name)
    if any(_contaminated(earlier, phase) for earlier in recording.baseline.runs):
        return message("baseline-contaminated", phase=phase.name)
    return None


def _other_machine(recording: Recording) -> bool:
    assert recording.baseline is not None
    return recording.environment is not None and recording.environment.fingerprint != recording.baseline.fingerprint


def _other_loads(recording: Recording, phase: PhaseMeasurement) -> dict[str, str]:
    """The load of the runs that had this phase with another one, by run-id."""
    assert recording.baseline is not None
    return {
        earlier.run_id: part.goal
        for earlier in recording.baseline.runs
        if (part := earlier.phase(phase.name, phase.variant)) is not None
        and part.goal
        and _load(part.goal) != _load(phase.goal)
    }


def _load(goal: str) -> str:
    """A goal without its words' endings: earlier versions wrote ``1 users``."""
    return goal.replace("users", "user")


def _limited(earlier: Measurement, phase: PhaseMeasurement) -> bool:
    part = earlier.phase(phase.name, phase.variant)
    return part is not None and bool(part.generator_limited)


def _contaminated(earlier: Measurement, phase: PhaseMeasurement) -> bool:
    part = earlier.phase(phase.name, phase.variant)
    return part is not None and part.too_contaminated

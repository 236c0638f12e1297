"""Which runs of the baseline a phase is compared with: one rule for gates, changes, suspects and flame graphs.

A phase of the same name proves little if it put another load on the target or ran on another kind of machine: then the
figures differ because something else was asked for.
"""

from __future__ import annotations

from harness.analysis.figures import goal_of
from harness.messages import Message, message
from harness.record.measurement import Measurement, PhaseMeasurement
from harness.recording.run import PhaseRecord, RunRecording


def of_same_load(run: RunRecording, record: PhaseRecord) -> list[Measurement]:
    """The baseline's runs, latest first, that had this phase with the same load, on the same kind of machine."""
    if run.baseline is None or _other_machine(run):
        return []
    others = _other_loads(run, record)
    return [earlier for earlier in run.baseline.runs if earlier.run_id not in others]


def comparable(run: RunRecording, record: PhaseRecord) -> list[Measurement]:
    """Of these, the runs whose figures are the target's: their generator was not the limit in this phase."""
    return [earlier for earlier in of_same_load(run, record) if not _limited(earlier, record)]


def why_not_comparable(run: RunRecording, record: PhaseRecord) -> Message | None:
    """Why runs of the baseline are left out of :func:`comparable`; None where none is."""
    if run.baseline is None:
        return None
    if _other_machine(run):
        assert run.environment is not None
        return message(
            "baseline-other-machine",
            baseline=run.baseline.fingerprint,
            here=run.environment.fingerprint,
            run=str(run.folder.path),
        )
    others = _other_loads(run, record)
    if others:
        return message(
            "baseline-other-load", baseline=", ".join(dict.fromkeys(others.values())), here=goal_of(record.plan)
        )
    if any(_limited(earlier, record) for earlier in run.baseline.runs):
        return message("baseline-generator-limited", phase=record.plan.name)
    return None


def _other_machine(run: RunRecording) -> bool:
    assert run.baseline is not None
    return run.environment is not None and run.environment.fingerprint != run.baseline.fingerprint


def _other_loads(run: RunRecording, record: PhaseRecord) -> dict[str, str]:
    """The load of the runs that had this phase with another one, by run-id."""
    assert run.baseline is not None
    here = goal_of(record.plan)
    return {
        earlier.run_id: part.goal
        for earlier in run.baseline.runs
        if (part := _same_phase(earlier, record)) is not None and part.goal and part.goal != here
    }


def _limited(earlier: Measurement, record: PhaseRecord) -> bool:
    part = _same_phase(earlier, record)
    return part is not None and bool(part.generator_limited)


def _same_phase(earlier: Measurement, record: PhaseRecord) -> PhaseMeasurement | None:
    return earlier.phase(record.plan.name, record.variant)

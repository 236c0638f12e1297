"""A recorded run, read once: the plan, the journal and what was sampled, with the requests sorted by phase."""

from __future__ import annotations

from dataclasses import dataclass

from harness.errors import HarnessError
from harness.plan.model import Phase, RunPlan
from harness.record.baseline import Baseline
from harness.record.endpoint_second import EndpointSecond
from harness.record.environment import Environment
from harness.record.journal import Journal, PhaseSpan, read_journal
from harness.record.profiles import ProfileIndex
from harness.record.resources import Reading, read_resources
from harness.record.run_folder import RunFolder, read_model

SecondEntry = tuple[int, EndpointSecond]
"""A second and what ended in it."""


@dataclass(frozen=True, slots=True, eq=False)
class PhaseRecord:
    """One phase as it ran. ``end_s`` is known here also where the run was killed: the end of what was recorded."""

    plan: Phase
    span: PhaseSpan
    end_s: float
    endpoint_seconds: list[SecondEntry]

    @property
    def index(self) -> int:
        return self.span.phase

    @property
    def start_s(self) -> float:
        return self.span.start_s

    @property
    def length_s(self) -> float:
        return max(self.end_s - self.start_s, 0.0)


@dataclass(frozen=True, slots=True, eq=False)
class RunRecording:
    """All that judging reads. ``baseline`` is None where the run was compared with none."""

    folder: RunFolder
    plan: RunPlan
    journal: Journal
    phases: list[PhaseRecord]
    readings: list[Reading]
    profiles: ProfileIndex
    environment: Environment | None
    baseline: Baseline | None
    no_baseline: str | None = None
    """Why there is none, where whoever has looked for one knows."""


def phase_records(plan: RunPlan, journal: Journal) -> list[PhaseRecord]:
    """The phases that began, in order, each with its requests. Raises :class:`HarnessError` on one not in the plan."""
    by_phase: dict[int, list[SecondEntry]] = {}
    for second in journal.seconds:
        for entry in second.endpoint_seconds:
            by_phase.setdefault(entry.phase, []).append((second.second, entry))
    records = []
    for span in journal.phases:
        if not 0 <= span.phase < len(plan.phases):
            raise HarnessError(
                f"the journal tells of phase number {span.phase}, the plan has {len(plan.phases)} phases",
                hint="plan.json and the journal are not of the same run.",
            )
        end_s = journal.last_s if span.end_s is None else span.end_s
        records.append(
            PhaseRecord(plan.phases[span.phase], span, max(end_s, span.start_s), by_phase.get(span.phase, []))
        )
    return records


def read_run(folder: RunFolder) -> RunRecording:
    """Read a run folder. Raises :class:`HarnessError` where a file is missing or damaged, naming it."""
    plan = read_model(folder.plan, RunPlan)
    journal = read_journal(folder.journal)
    profiles = ProfileIndex.load(folder.profiles)
    for profile in profiles.profiles:
        if profile.phase >= len(plan.phases):
            raise HarnessError(
                f"a profile is of phase number {profile.phase}, the plan has {len(plan.phases)} phases",
                where=str(folder.profiles),
                hint="plan.json and the profiles are not of the same run.",
            )
    return RunRecording(
        folder=folder,
        plan=plan,
        journal=journal,
        phases=phase_records(plan, journal),
        readings=read_resources(folder.resources),
        profiles=profiles,
        environment=read_model(folder.environment, Environment) if folder.environment.exists() else None,
        baseline=read_model(folder.comparison, Baseline) if folder.comparison.exists() else None,
    )

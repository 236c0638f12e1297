"""All that a run folder holds, read once: what every report is drawn from."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from harness.errors import HarnessError
from harness.plan.model import RunPlan
from harness.record.baseline import Baseline
from harness.record.environment import Environment
from harness.record.journal import Journal, read_journal
from harness.record.profiles import Profile, ProfileIndex, Stack, read_folded
from harness.record.resources import Reading, read_resources
from harness.record.run_folder import RunFolder, read_json
from harness.record.summary import Summary

Model = TypeVar("Model", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class ProfileStacks:
    """One profile and its folded stacks."""

    profile: Profile
    stacks: list[Stack]


@dataclass(frozen=True, slots=True)
class Recorded:
    """A run as its folder tells it. ``gaps`` says, as a person reads it, what the folder lacks."""

    plan: RunPlan
    summary: Summary
    journal: Journal
    readings: list[Reading]
    profiles: list[ProfileStacks]
    profile_notes: list[str]
    baseline: Baseline | None
    environment: Environment | None
    gaps: list[str]


def read_recorded(folder: RunFolder) -> Recorded:
    """Read ``folder``. Raises :class:`HarnessError` where the plan or the summary is missing, or any file is damaged.

    A run that ended before its load began has no journal: it is then taken as empty, and ``gaps`` says so.
    """
    gaps: list[str] = []
    plan = _model(folder.plan, RunPlan)
    summary = _model(folder.summary, Summary)
    journal = Journal()
    if folder.journal.is_file() and folder.journal.stat().st_size > 0:
        journal = read_journal(folder.journal)
    else:
        gaps.append("No load was recorded: the run ended before its first second.")
    index = ProfileIndex.load(folder.profiles)
    profiles: list[ProfileStacks] = []
    for profile in index.profiles:
        path = folder.path / profile.path
        if path.is_file():
            profiles.append(ProfileStacks(profile, read_folded(path)))
        else:
            gaps.append(f"The profile {profile.path} is missing from the run folder.")
    environment = _model(folder.environment, Environment) if folder.environment.is_file() else None
    if environment is None:
        gaps.append("The run folder holds no environment.json: on what this run was made is not known.")
    return Recorded(
        plan=plan,
        summary=summary,
        journal=journal,
        readings=read_resources(folder.resources),
        profiles=profiles,
        profile_notes=index.notes,
        baseline=_model(folder.comparison, Baseline) if folder.comparison.is_file() else None,
        environment=environment,
        gaps=gaps,
    )


def _model(path: Path, model: type[Model]) -> Model:
    try:
        return model.model_validate(read_json(path))
    except ValidationError as fault:
        first = fault.errors()[0]
        key = ".".join(map(str, first["loc"]))
        raise HarnessError(
            f"{key}: {first['msg']}", where=str(path), hint="It was written by another version, or is damaged."
        ) from fault

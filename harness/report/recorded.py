"""All that a report is drawn from: the recorded run, its summary, the stacks of its profiles."""

from __future__ import annotations

from dataclasses import dataclass

from pydantic import ValidationError

from harness.analysis.functions import working
from harness.analysis.recorded import RecordedRun, read_run
from harness.errors import HarnessError
from harness.record.profiles import Profile, Stack, read_folded
from harness.record.run_folder import RunFolder, read_json
from harness.record.summary import Summary


@dataclass(frozen=True, slots=True)
class ProfileStacks:
    """One profile and its folded stacks."""

    profile: Profile
    stacks: list[Stack]


@dataclass(frozen=True, slots=True)
class JudgedRun:
    """A run and its result. ``missing`` names, as a person reads it, files that the folder should hold and does not."""

    recorded: RecordedRun
    summary: Summary
    profiles: list[ProfileStacks]
    missing: list[str]


def read_judged(folder: RunFolder) -> JudgedRun:
    """Read ``folder``. Raises :class:`HarnessError` where it is not judged yet, or where a file is damaged."""
    try:
        summary = Summary.model_validate(read_json(folder.summary))
    except ValidationError as fault:
        first = fault.errors()[0]
        raise HarnessError(
            f"{'.'.join(map(str, first['loc']))}: {first['msg']}",
            where=str(folder.summary),
            hint="It was written by another version, or is damaged: `harness gate RUN` writes it anew.",
        ) from fault
    recorded = read_run(folder)
    profiles: list[ProfileStacks] = []
    missing: list[str] = []
    for profile in recorded.profiles.profiles:
        path = folder.path / profile.path
        if path.is_file():
            profiles.append(ProfileStacks(profile, _shown(profile, read_folded(path))))
        else:
            missing.append(f"the profile {profile.path} is missing from the run folder")
    return JudgedRun(recorded, summary, profiles, missing)


def _shown(profile: Profile, stacks: list[Stack]) -> list[Stack]:
    """The stacks as the flame graph shows them: of CPU profiles those of threads at work, as attribution reads them."""
    return working(stacks) if profile.kind == "cpu" else stacks

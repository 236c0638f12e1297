"""All that a report is drawn from: the recorded run, its summary, the stacks of its profiles."""

from __future__ import annotations

from dataclasses import dataclass

from harness.analysis.functions import working
from harness.record.profiles import Profile, ProfileIndex, Stack, read_folded
from harness.record.run_folder import RunFolder, read_model
from harness.record.summary import Summary
from harness.recording.bench import BenchRecording, read_suite
from harness.recording.run import RunRecording, read_run


@dataclass(frozen=True, slots=True)
class ProfileStacks:
    """One profile and its folded stacks."""

    profile: Profile
    stacks: list[Stack]


@dataclass(frozen=True, slots=True)
class JudgedRun:
    """A run and its result. ``missing`` names, as a person reads it, files that the folder should hold and does not."""

    recorded: RunRecording
    summary: Summary
    profiles: list[ProfileStacks]
    missing: list[str]


@dataclass(frozen=True, slots=True)
class JudgedSuite:
    """A bench and its result; otherwise as :class:`JudgedRun`. A profile's ``phase`` is its benchmark's place."""

    recorded: BenchRecording
    summary: Summary
    profiles: list[ProfileStacks]
    missing: list[str]


def read_judged(folder: RunFolder) -> JudgedRun:
    """Read ``folder``. Raises :class:`HarnessError` where it is not judged yet, or where a file is damaged."""
    summary = _summary(folder)
    recorded = read_run(folder)
    return JudgedRun(recorded, summary, *_profiles(folder, recorded.profiles))


def read_judged_suite(folder: RunFolder) -> JudgedSuite:
    """As :func:`read_judged`, of a bench."""
    summary = _summary(folder)
    recorded = read_suite(folder)
    return JudgedSuite(recorded, summary, *_profiles(folder, recorded.profiles))


def _summary(folder: RunFolder) -> Summary:
    hint = "It was written by another version, or is damaged: `harness gate RUN` writes it anew."
    return read_model(folder.summary, Summary, hint=hint)


def _profiles(folder: RunFolder, index: ProfileIndex) -> tuple[list[ProfileStacks], list[str]]:
    """The profiles that lie in the folder, and what is said of those that do not."""
    profiles: list[ProfileStacks] = []
    missing: list[str] = []
    for profile in index.profiles:
        path = folder.path / profile.path
        if path.is_file():
            profiles.append(ProfileStacks(profile, _shown(profile, read_folded(path))))
        else:
            missing.append(f"the profile {profile.path} is missing from the run folder")
    return profiles, missing


def _shown(profile: Profile, stacks: list[Stack]) -> list[Stack]:
    """The stacks as the flame graph shows them: of CPU profiles those of threads at work, as attribution reads them."""
    return working(stacks) if profile.kind == "cpu" else stacks

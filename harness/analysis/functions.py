"""Samples by function: how often each was on top of a stack, and how often anywhere on it."""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from harness.record.measurement import FunctionSamples, PhaseProfile
from harness.record.profiles import Profile, Stack, read_folded
from harness.recording.run import PhaseRecord, RunRecording

_FRAME = re.compile(r"(?P<function>.+) \((?P<file>[^()]+?)(?::(?P<line>\d+))?\)")
_STANDARD_FOLDER = re.compile(r"lib/python3[.\d]*/(?!site-packages|dist-packages)")


_WAITS = {
    ("wait", "threading.py"),
    ("select", "selectors.py"),
    ("run", "asyncio/runners.py"),
    ("_worker", "concurrent/futures/thread.py"),
    ("accept", "socket.py"),
}
"""Where an idle thread waits: function (without its class) and file."""


@dataclass(frozen=True, slots=True)
class Frame:
    """One frame of a stack; ``line`` is 0 where it is unknown, ``file`` is empty where there is no file."""

    function: str
    file: str
    line: int

    @property
    def key(self) -> str:
        """``function (file.py)``: profiles are compared by it, because line numbers move between builds."""
        return f"{self.function} ({self.file})" if self.file else self.function

    @property
    def is_waiting(self) -> bool:
        """Whether a thread with this function on top waits for work (an event loop's wait in C shows as its caller)."""
        file = self.file if "/lib/python3" not in self.file else _STANDARD_FOLDER.split(self.file)[-1]
        return (self.function.rpartition(".")[2], file) in _WAITS

    @property
    def is_standard(self) -> bool:
        """Whether it belongs to Python itself: its standard library, or its import machinery."""
        if self.file.startswith("<") or _STANDARD_FOLDER.search(self.file):
            return True
        return self.file.split("/")[0].removesuffix(".py") in sys.stdlib_module_names


def working(stacks: Sequence[Stack]) -> list[Stack]:
    """The stacks of threads at work.

    py-spy does not stop the target while it samples, so it takes some waiting threads for working ones. Their number
    grows with idle time, not with work. If they were counted, every function would cost more the less there is to do.
    """
    return [stack for stack in stacks if not parse_frame(stack.frames[-1]).is_waiting]


@lru_cache(maxsize=1 << 16)
def parse_frame(text: str) -> Frame:
    """A frame as folded, ``function (file.py:line)``; any other text is a function without a file."""
    match = _FRAME.fullmatch(text)
    return Frame(match["function"], match["file"], int(match["line"] or 0)) if match else Frame(text, "", 0)


def functions_of(stacks: Sequence[Stack]) -> dict[str, FunctionSamples]:
    """The weight of each function, by :attr:`Frame.key`; one that calls itself counts once a stack."""
    own: dict[str, int] = {}
    total: dict[str, int] = {}
    for stack in stacks:
        keys = [parse_frame(text).key for text in stack.frames]
        own[keys[-1]] = own.get(keys[-1], 0) + stack.weight
        for key in set(keys):
            total[key] = total.get(key, 0) + stack.weight
    return {key: FunctionSamples(own=own.get(key, 0), total=weight) for key, weight in total.items()}


def stacks_of(run: RunRecording, profile: Profile) -> list[Stack]:
    """The stacks of a profile; none where its file is missing, because a lost profile must not stop the judging.

    Raises :class:`HarnessError` where it is damaged.
    """
    path = run.folder.path / profile.path
    return read_folded(path) if path.is_file() else []


def cpu_stacks(run: RunRecording, record: PhaseRecord) -> list[Stack]:
    """All CPU stacks of a phase of threads at work; none where it was not sampled."""
    return [
        stack
        for profile in run.profiles.profiles
        if _is_cpu_of(profile, record)
        for stack in working(stacks_of(run, profile))
    ]


def phase_profile(run: RunRecording, record: PhaseRecord) -> PhaseProfile | None:
    """The CPU profile of a phase by function, of threads at work; None where it was not sampled."""
    stacks = cpu_stacks(run, record)
    if not stacks or record.length_s <= 0:
        return None
    # A profile is that of one start of the target, and each start has the same part of the requests.
    starts = 1 if record.workers is None else record.workers.starts
    profiles = [profile for profile in run.profiles.profiles if _is_cpu_of(profile, record)]
    rates_hz = [profile.rate_hz or 100.0 for profile in profiles]
    seen = [_requests_during(record, profile) * hz for profile, hz in zip(profiles, rates_hz, strict=True)]
    return PhaseProfile(
        samples=sum(stack.weight for stack in stacks),
        rate_hz=rates_hz[0],
        requests=sum(seen) / starts / rates_hz[0],
        functions=functions_of(stacks),
    )


def _is_cpu_of(profile: Profile, record: PhaseRecord) -> bool:
    return profile.kind == "cpu" and (profile.phase, profile.variant) == (record.index, record.variant)


def _requests_during(record: PhaseRecord, profile: Profile) -> float:
    """The phase's requests while the sampler was on; seconds that it covers in part count in part."""
    start_s = record.start_s + profile.offset_s
    end_s = min(start_s + profile.duration_s, record.end_s)
    requests: list[int] = record.table.requests.tolist()
    return sum(
        count * _shared_s(second, start_s, end_s) / _shared_s(second, record.start_s, record.end_s)
        for second, count in zip(record.table.second.tolist(), requests, strict=True)
        if _shared_s(second, record.start_s, record.end_s)
    )


def _shared_s(second: int, start_s: float, end_s: float) -> float:
    """How much of ``second`` lies within a span."""
    return max(0.0, min(end_s, second + 1) - max(start_s, second))

"""The index of a run's CPU and memory profiles: the file of each phase, and what was not sampled.

A profile is a *folded* text file (Brendan Gregg's collapsed stacks). A line is ``frame;frame;frame weight``, root
first, a frame is ``function (file.py:line)``. The weight counts samples (CPU) or bytes (memory). The raw files of tools
(memray's ``.bin``) are kept beside them.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal, NamedTuple

from pydantic import BaseModel, Field

from harness.errors import HarnessError
from harness.messages import Message, message
from harness.record.notice import Notice
from harness.record.run_folder import read_model, regular_file, write_json

ProfileKind = Literal["cpu", "threads", "waits", "memory-peak", "memory-leaked", "memory-allocated"]
"""``cpu`` samples the threads that hold the GIL, ``threads`` all that do not sleep, but only a few times a
second, and ``waits`` all."""


@dataclass(frozen=True, slots=True)
class Span:
    """A part of a phase that was sampled by itself: from ``offset_s`` after the phase's start, at ``rate_hz``.

    ``cpu_s`` is what each process of the target used meanwhile, by its process id, from the kernel's CPU clocks.
    """

    offset_s: float
    duration_s: float
    rate_hz: Annotated[float, Field(gt=0)]
    cpu_s: dict[int, float]


@dataclass(frozen=True, slots=True)
class Profile:
    """One folded file. ``path`` is relative to the run folder; ``phase`` is the phase's index in the plan.

    ``unit`` is ``samples`` (taken at ``rate_hz``) or ``bytes``; ``raw`` is the tool's own file, if there is one. The
    sampler ran for ``duration_s``, from ``offset_s`` after the start of the phase, and used ``cores`` (CPU seconds a
    second), if that is known.

    CPU samples are kept by ``spans`` too, in the folded file ``spans_path``: the first two frames of its stacks are
    ``span NUMBER`` (from 0) and ``pid NUMBER``. ``own`` are the files of the target's own code, as frames
    name them, ``python`` is the version that it runs on.
    """

    kind: ProfileKind
    phase: Annotated[int, Field(ge=0)]
    path: str
    unit: Literal["samples", "bytes"]
    duration_s: float
    rate_hz: Annotated[float, Field(gt=0)] | None = None
    raw: str | None = None
    offset_s: float = 0.0
    cores: float | None = None
    variant: str = ""
    spans_path: str | None = None
    spans: list[Span] = field(default_factory=list)
    own: list[str] = field(default_factory=list)
    python: str | None = None


class _Saved(BaseModel):
    """The index as a file. ``notices`` are the notes again, with code and parameters."""

    profiles: list[Profile]
    notes: list[str]
    notices: list[Notice] = []


@dataclass(slots=True)
class ProfileIndex:
    """All profiles of a run, and ``notes``: what could not be sampled, and what to do about it."""

    profiles: list[Profile] = field(default_factory=list)
    notes: list[Message] = field(default_factory=list)

    def save(self, path: Path) -> None:
        saved = _Saved(
            profiles=self.profiles, notes=[str(note) for note in self.notes], notices=[*map(Notice.of, self.notes)]
        )
        write_json(path, saved.model_dump())

    @classmethod
    def load(cls, path: Path) -> ProfileIndex:
        """The saved index; an empty one if there is none. Raises :class:`HarnessError` if it is damaged."""
        if not path.exists():
            return cls()
        saved = read_model(path, _Saved)
        if saved.notices:
            return cls(saved.profiles, [notice.message() for notice in saved.notices])
        return cls(saved.profiles, [message("note", text=text) for text in saved.notes])


@dataclass(frozen=True, slots=True)
class Stack:
    """One line of a folded file: frames, the root first, and their weight."""

    frames: tuple[str, ...]
    weight: int


TASK = "task"
"""The first frame of a stack of what a task of an event loop waits for, rather than a thread."""


def process_frame(pid: int) -> str:
    """The first frame of the stacks of a process, in profiles of several."""
    return f"process {pid}"


def process_of_stack(stack: Stack) -> int | None:
    """The process of a stack, if its first frame names one."""
    word, _, pid = stack.frames[0].partition(" ")
    return int(pid) if word == "process" and pid.isdigit() else None


def read_folded(path: Path) -> list[Stack]:
    """The stacks of a folded file. Raises :class:`HarnessError` with the line that is not one."""
    stacks: list[Stack] = []
    with regular_file(path).open(encoding="utf-8", errors="replace") as lines:
        for number, line in enumerate(lines, 1):
            if not line.strip():
                continue
            text, _, weight = line.rstrip("\n").rpartition(" ")
            if not text or not weight.isdigit():
                raise HarnessError("profile-damaged", where=f"{path}:{number}")
            stacks.append(Stack(tuple(text.split(";")), int(weight)))
    return stacks


class SpanStack(NamedTuple):
    """A stack that one process had in one span of a profile; ``span`` is its number."""

    span: int
    pid: int
    stack: Stack


def read_spans(path: Path, profile: Profile) -> list[SpanStack]:
    """The stacks of ``profile.spans_path``. Raises :class:`HarnessError` where it is damaged."""
    found = []
    for stack in read_folded(path):
        match [frame.split() for frame in stack.frames[:2]]:
            case [["span", span], ["pid", pid]] if (
                len(stack.frames) > 2 and span.isdecimal() and pid.isdecimal() and int(span) < len(profile.spans)
            ):
                found.append(SpanStack(int(span), int(pid), Stack(stack.frames[2:], stack.weight)))
            case _:
                raise HarnessError("profile-damaged", where=str(path))
    return found


def write_folded(path: Path, stacks: list[Stack]) -> None:
    """Write stacks as a folded file."""
    path.write_text("".join(f"{';'.join(stack.frames)} {stack.weight}\n" for stack in stacks), encoding="utf-8")

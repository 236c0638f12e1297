"""What every sampler of profiles is: told when phases start and end, it never makes the caller wait."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from harness.record.profiles import Profile


class PhaseSampler(Protocol):
    """Samples whole phases. ``begin_phase`` and ``end_phase`` return at once; ``close`` waits for all files."""

    name: str

    def begin_phase(self, index: int, name: str) -> None:
        """The phase with this index in the plan has begun."""

    def end_phase(self) -> None:
        """The phase has ended; nothing happens where none was begun."""

    def close(self) -> list[Profile]:
        """End the open phase, write everything; the profiles that came of it. Called once."""

    @property
    def notes(self) -> list[str]:
        """What could not be sampled and what to do about it; complete after ``close``."""


class MemoryAgent(Protocol):
    """Turns memory tracing on and off in one process of the target; raises where it cannot."""

    @property
    def pid(self) -> int: ...

    def start(self, path: Path) -> None: ...

    def stop(self) -> None: ...


class SampledTarget(Protocol):
    """What samplers must know of a target (``harness.targets.start.Target`` is one)."""

    @property
    def pid(self) -> int | None: ...

    @property
    def managed(self) -> bool: ...

    def is_alive(self) -> bool: ...

    def agents(self) -> Sequence[MemoryAgent]: ...


def file_stem(index: int, name: str) -> str:
    """``3-steady_load``: the phase's index and its name, as the start of a file's name."""
    return f"{index}-{re.sub(r'[^A-Za-z0-9_.-]+', '_', name)}"

"""When processes of the target started and ended during the load, and how; written as it is seen.

Frames of kind ``process`` in the file ``processes``.
"""

from __future__ import annotations

from dataclasses import field
from typing import Literal

from pydantic.dataclasses import dataclass

from harness.record.frames import STRICT, Epoch, FrameLog


@dataclass(frozen=True, slots=True, config=STRICT)
class ProcessEvent:
    """``started``: it was first seen, with its ``parent`` and the name of its program. ``ended``: how it went.

    ``status`` is its exit code, or minus the number of the signal that killed it; None if the kernel did not say.
    ``out_of_memory`` means that the kernel's own log says so. ``last_lines`` is what the target had written last.
    """

    epoch_s: Epoch
    event: Literal["started", "ended"]
    pid: int
    parent: int = 0
    name: str = ""
    root: bool = False
    """Whether it is the first process of the target."""
    variant: str = ""
    status: int | None = None
    out_of_memory: bool = False
    last_lines: list[str] = field(default_factory=list)


PROCESS_EVENTS = FrameLog("process", ProcessEvent)

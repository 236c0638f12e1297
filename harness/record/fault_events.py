"""What was broken on purpose during the load, and when; written by the process that does it.

Frames of kind ``fault`` in the file ``faults``. ``began`` is written before anything is touched and ``ended`` once all
is undone. ``failed`` may stand between: a fault that could not begin is undone at once, and one whose undoing failed
has no ``ended``, unless a later attempt succeeds.
"""

from __future__ import annotations

from dataclasses import dataclass as plain_dataclass
from dataclasses import replace
from typing import Any, Literal

from pydantic.dataclasses import dataclass

from harness.messages import Message
from harness.record.frames import STRICT, Epoch, FrameLog


@dataclass(frozen=True, slots=True, config=STRICT)
class FaultEvent:
    """Something that happened to the plan's fault ``name``."""

    epoch_s: Epoch
    event: Literal["began", "ended", "failed"]
    name: str
    fault_kind: str
    phase: str
    """The name of the phase that it is planned in."""
    error: dict[str, Any] | None = None
    """Why it failed: :meth:`harness.messages.Message.to_data`."""


FAULT_EVENTS = FrameLog("fault", FaultEvent)


@plain_dataclass(frozen=True, slots=True)
class FaultSpan:
    """A fault from its begin to ``ended_s`` (both since 1970); None: it was never undone."""

    name: str
    kind: str
    phase: str
    began_s: float
    ended_s: float | None = None
    error: Message | None = None
    """The last thing that went wrong with it."""


def fault_spans(events: list[FaultEvent]) -> list[FaultSpan]:
    """The faults that began, in order."""
    spans: dict[str, FaultSpan] = {}
    for event in events:
        if event.event == "began":
            spans[event.name] = FaultSpan(event.name, event.fault_kind, event.phase, event.epoch_s)
        elif event.name in spans and event.event == "ended":
            spans[event.name] = replace(spans[event.name], ended_s=event.epoch_s)
        elif event.name in spans and event.error is not None:
            spans[event.name] = replace(spans[event.name], error=Message.from_data(event.error))
    return list(spans.values())

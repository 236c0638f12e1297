"""What happened in a run beside its requests: errors, lost workers, dropped arrivals."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, Self

from harness.messages import Message

EventKind = Literal[
    "dropped", "error", "exit code", "limit broke", "report refused", "scenario", "worker lost", "workers lost"
]
REQUESTS_MISSING: frozenset[EventKind] = frozenset({"report refused", "worker lost", "workers lost"})
"""After these, requests that were made are missing from the record."""


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened at ``at_s``. ``count`` is how many things it is about (``dropped``: arrivals)."""

    at_s: float
    kind: EventKind
    message: Message
    count: int = 0

    def to_frame(self) -> dict[str, Any]:
        """As the journal keeps it: the whole text, and what it was made from."""
        data = self.message.to_data()
        text = data.pop("text")
        return {"kind": "event", "at_s": self.at_s, "what": self.kind, "message": text, "count": self.count, **data}

    @classmethod
    def from_frame(cls, frame: dict[str, Any]) -> Self:
        """The event of a frame; one without a code has the text alone. Raises ``ValueError`` for a broken frame."""
        text = Message.from_data({"code": "event", "params": {}, **frame, "text": frame["message"]})
        return cls(frame["at_s"], frame["what"], text, frame.get("count", 0))

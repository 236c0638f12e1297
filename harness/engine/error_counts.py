"""Errors that a scenario's own code raised outside requests, counted by what they say."""

from __future__ import annotations

from collections import Counter
from typing import Any

from harness.engine.failure_kinds import FAILURE_KINDS
from harness.messages import Message, message


class ErrorCounts(Counter[Message]):
    """At most :data:`FAILURE_KINDS` different errors are kept apart; the rest are counted together."""

    def add(self, error: Message, count: int = 1) -> None:
        if error not in self and len(self) >= FAILURE_KINDS:
            error = message("other-errors")
        self[error] += count

    def to_wire(self) -> list[tuple[dict[str, Any], int]]:
        return [(error.to_data(), count) for error, count in self.items()]

    def add_wire(self, wire: list[Any]) -> None:
        """Add what :meth:`to_wire` gave in another process."""
        for error, count in wire:
            self.add(Message.from_data(error), int(count))

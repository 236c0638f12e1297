"""Errors that a scenario's own code raised outside requests, counted by what they say."""

from __future__ import annotations

from typing import Any

from harness.engine.recorder import FAILURE_KINDS
from harness.messages import Message, message


class ErrorCounts:
    """At most :data:`FAILURE_KINDS` different errors are kept apart; the rest are counted together."""

    def __init__(self) -> None:
        self._counts: dict[str, tuple[Message, int]] = {}

    def add(self, error: Message, count: int = 1) -> None:
        key = str(error)
        if key not in self._counts and len(self._counts) >= FAILURE_KINDS:
            error = message("other-errors")
            key = str(error)
        _, before = self._counts.get(key, (error, 0))
        self._counts[key] = (error, before + count)

    def most_common(self, most: int) -> list[tuple[Message, int]]:
        """The most frequent errors, each with its count."""
        return sorted(self._counts.values(), key=lambda counted: -counted[1])[:most]

    def to_wire(self) -> list[tuple[dict[str, Any], int]]:
        return [(error.to_data(), count) for error, count in self._counts.values()]

    def add_wire(self, wire: list[Any]) -> None:
        """Add what :meth:`to_wire` gave in another process."""
        for error, count in wire:
            self.add(Message.from_data(error), int(count))

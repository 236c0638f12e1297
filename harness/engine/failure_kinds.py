"""Groups failures by their text, in bounded memory: the rest are counted together."""

from __future__ import annotations

import re
from collections import Counter
from typing import Any

from harness.messages import Message, message
from harness.record.redaction import redacted

FAILURE_KINDS = 200
"""How many kinds one worker keeps apart, however rare; further kinds must be frequent."""
OTHER_FAILURES = "other failures"
_MOST_KINDS = 20_000
_OF_EACH_ENDPOINT = 20
"""An endpoint keeps this many kinds however many others have, so that its only error is not lost among theirs."""
_FREQUENT = 10
"""A further kind is kept once it has occurred this often among the latest failures."""
_VARIANTS = 10
"""Texts that differ only in numbers and ids are kept apart up to this number."""
_VARYING = re.compile(r"(?<!HTTP )\b[\w-]*\d[\w-]*")


class FailureKinds:
    """The kinds of one worker."""

    def __init__(self) -> None:
        self._kinds: dict[tuple[int, str], str] = {}
        """By endpoint and text: the text, redacted."""
        self._of_endpoint: Counter[int] = Counter()
        self._variants: dict[str, set[str]] = {}
        """By text without its numbers and ids: the texts themselves."""
        self._rare: Counter[tuple[int, str]] = Counter()

    def kind(self, endpoint: int, text: str) -> str:
        """The kind of a failure of ``endpoint`` that says ``text``."""
        key = (endpoint, text)
        if key not in self._kinds:
            key = (endpoint, self._folded(text))
        if key not in self._kinds:
            if not self._is_kept(key):
                return OTHER_FAILURES
            self._kinds[key] = redacted(key[1])
            self._of_endpoint[endpoint] += 1
        return self._kinds[key]

    def _folded(self, text: str) -> str:
        """The text, without its numbers and ids if there are many that differ only in these."""
        pattern = _VARYING.sub("…", text)
        if pattern == text or (pattern not in self._variants and len(self._variants) >= _MOST_KINDS):
            return text
        variants = self._variants.setdefault(pattern, set())
        if text not in variants and len(variants) >= _VARIANTS:
            return pattern
        variants.add(text)
        return text

    def _is_kept(self, key: tuple[int, str]) -> bool:
        if len(self._kinds) < FAILURE_KINDS or self._of_endpoint[key[0]] < _OF_EACH_ENDPOINT:
            return True
        self._rare[key] += 1
        if len(self._rare) > FAILURE_KINDS:  # frequent items by Misra and Gries (1982)
            self._rare -= Counter(dict.fromkeys(self._rare, 1))
        return self._rare[key] >= _FREQUENT and len(self._kinds) < _MOST_KINDS


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

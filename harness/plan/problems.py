"""Collects every problem of what a user wrote, so that all are reported together with their places.

Parsers of single values raise :class:`~harness.errors.InvalidValue`. Whoever knows where the value stands adds it to
the :class:`Problems`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from harness.errors import HarnessError, InvalidValue, ManyProblemsError, problems_of
from harness.messages import Option

Where = str | Option | Callable[[], str]
"""A file with line and key, or an option. A line that takes time to find is found when it is shown."""


def shown(where: Where) -> str | Option:
    return where if isinstance(where, str | Option) else where()


class Problems:
    """The problems found so far, in the order they were found."""

    def __init__(self) -> None:
        self._found: list[HarnessError] = []

    def add(self, code: str, /, *, where: Where, **params: Any) -> None:
        """Add one; the arguments are those of a ``HarnessError``."""
        self._found.append(HarnessError(code, where=shown(where), **params))

    def add_invalid(self, error: InvalidValue, *, where: Where) -> None:
        self._found.append(HarnessError(error.code, where=shown(where), **error.params))

    def add_found(self, error: HarnessError) -> None:
        """Add what was raised elsewhere, each of its problems."""
        self._found += problems_of(error)

    def __len__(self) -> int:
        return len(self._found)

    def raise_if_any(self) -> None:
        """Raise ``ManyProblemsError`` with all that were added; nothing when there are none."""
        if self._found:
            raise ManyProblemsError(self._found)

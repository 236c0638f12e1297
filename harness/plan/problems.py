"""Every fault of what a user wrote is collected, then told at once: what, where, and what would be right.

Parsers of single values raise ``InvalidValue``; whoever knows where the value was written turns it into a fault.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping

from harness.errors import HarnessError, ManyProblemsError


class InvalidValue(ValueError):  # noqa: N818  (what a parser found, not a failure of its own)
    """A value that means nothing: ``message`` says what is wrong with it, ``hint`` what would be right.

    ``key`` names the key at fault where the value is a table or a whole phase, else None. A ``ValueError``, so that
    pydantic collects it together with the other faults of the same table.
    """

    def __init__(self, message: str, hint: str | None = None, *, key: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.key = key


class Problems:
    """The faults found so far, in the order they were found."""

    def __init__(self) -> None:
        self._problems: list[HarnessError] = []

    def add(self, message: str, *, where: str, hint: str | None = None) -> None:
        self._problems.append(HarnessError(message, where=where, hint=hint))

    def __len__(self) -> int:
        return len(self._problems)

    def raise_if_any(self) -> None:
        """Raise ``ManyProblemsError`` with all that were added; nothing when there are none."""
        if self._problems:
            raise ManyProblemsError(self._problems)


def quoted(value: object) -> str:
    """The value as a message shows it: texts in double quotes, true and false as in TOML, long ones cut."""
    if isinstance(value, bool):
        return "true" if value else "false"
    try:
        text = f'"{value}"' if isinstance(value, str) else repr(value)
    except (ValueError, RecursionError):  # more digits than Python writes, deeper than it goes
        text = "this"
    return text if len(text) <= 80 else f"{text[:77]}…"


def listed(words: Iterable[str]) -> str:
    """Words as a message lists them."""
    return ", ".join(words)


def suggestion(word: str, known: Iterable[str], synonyms: Mapping[str, str] | None = None) -> str:
    """What the user may have meant by ``word``: the nearest of ``known``, and all of them.

    ``synonyms`` maps words people bring from elsewhere (``rps``) to the known one (``throughput``).
    """
    choices = list(known)
    meant = (synonyms or {}).get(word.lower())
    if meant not in choices:
        near = difflib.get_close_matches(word.lower(), [choice.lower() for choice in choices], n=1, cutoff=0.6)
        meant = next((choice for choice in choices if near and choice.lower() == near[0]), None)
    everything = f"known: {listed(choices)}" if choices else "there are none"
    return f'did you mean "{meant}"? ({everything})' if meant else everything

"""Redacts a log line by line, as it is written."""

from __future__ import annotations

import io
from typing import Any, TextIO

from harness.record.redaction import REDACTED, may_hold_secret, private_key_begins, private_key_ends, redacted

_LONGEST_PIECE = 1 << 16
"""Of a line that is longer, this much is masked at a time."""
_AHEAD = (4_000, 4_200, 5_000, 8_000, 16_000, 32_000)
"""So much of it is looked at, but left for the next time: more than the longest name and what joins it to its value."""
_LONGEST_WORD = 200
_BETWEEN_WORDS = " \t,;&}>"
"""Behind the last of these it is cut, where there is one in so many characters."""
_LONGEST_KEY = 400
"""Lines; where a private key has no end after so many, what follows is none of it. One of 16,384 bits has 200."""


class _Lines:
    """Masks one piece of a log after the other, each of whole lines; a private key may go over many pieces."""

    def __init__(self) -> None:
        self._key_lines = 0
        """How many more lines may belong to the key that has begun and not ended."""

    @property
    def in_key(self) -> bool:
        return self._key_lines > 0

    def redacted(self, text: str) -> str:
        if not self._key_lines:
            return self._outside_key(text)
        end = private_key_ends(text)
        if end is None:
            self._key_lines = max(self._key_lines - max(text.count("\n"), 1), 0)
            return REDACTED + ("\n" if text.endswith("\n") else "")
        self._key_lines = 0
        return REDACTED + self._outside_key(text[end.end() :])

    def _outside_key(self, text: str) -> str:
        at = text.rfind("-----BEGIN ")
        if at >= 0 and private_key_begins(text, at) and not private_key_ends(text, at):
            self._key_lines = _LONGEST_KEY
            return redacted(text) + ("\n" if text.endswith("\n") else "")
        return redacted(text)


def _cut(text: str) -> int:
    """Where a long piece of a line is cut: where that hides neither more nor less than in one. 0: nowhere.

    What is shown of the line behind the cut tells whether a secret's name or the secret itself stands across it.
    """
    whole = redacted(text)
    for ahead in _AHEAD:
        end = len(text) - ahead
        end = max(text.rfind(mark, end - _LONGEST_WORD, end) for mark in _BETWEEN_WORDS) + 1 or end
        if whole == text:
            return end
        behind = redacted(text[end:])
        if whole.endswith(behind) and whole == redacted(text[:end]) + behind:
            return end
    return 0


class RedactedLines:
    """Text that comes in pieces, masked line by line, each when it is whole: a piece may end in half a secret."""

    def __init__(self) -> None:
        self._lines = _Lines()
        self._rest = ""
        self._hides = False
        """What is to come of a line too long to wait for its end, behind a secret that has none yet."""

    def leaves(self, text: str) -> bool:
        """Whether that is whole lines in which nothing can be masked, whatever came before them or will come: found
        many times as fast as by :meth:`take`, to which it need not be given then.
        """
        begins_line = not (self._rest or self._hides or self._lines.in_key)
        return begins_line and text.endswith("\n") and not may_hold_secret(text)

    def take(self, text: str) -> str:
        """What can be written now that ``text`` has come: the lines that are whole, and most of a very long one."""
        found = []
        if self._hides:
            _, newline, text = text.partition("\n")
            self._hides = not newline
            found.append(newline)
        whole, newline, rest = (self._rest + text).rpartition("\n")
        if newline:
            found.append(self._lines.redacted(whole + newline))
        while len(rest) > _LONGEST_PIECE:
            end = _cut(rest[:_LONGEST_PIECE])
            if end:
                found.append(self._lines.redacted(rest[:end]))
                rest = rest[end:]
            else:
                found.append(self._lines.redacted(rest[:_LONGEST_PIECE]).removesuffix(REDACTED) + REDACTED)
                self._hides = True
                rest = ""
        self._rest = rest
        return "".join(found)

    def end(self) -> str:
        """What has no line's end yet."""
        rest, self._rest = self._rest, ""
        return self._lines.redacted(rest) if rest else ""


class RedactedStream(io.TextIOBase):
    """A text stream (standard error, say) whose lines are masked, each when it is whole, also where it was flushed
    before.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._lines = RedactedLines()

    @property
    def encoding(self) -> str:  # type: ignore[override]  # as every text stream has it
        return self._stream.encoding

    @property
    def errors(self) -> str | None:  # type: ignore[override]
        return self._stream.errors

    def __getattr__(self, name: str) -> Any:
        """What scenarios do with a standard stream besides (``buffer``, ``reconfigure``) goes past the mask."""
        return getattr(self._stream, name)

    def fileno(self) -> int:
        return self._stream.fileno()

    def isatty(self) -> bool:
        return self._stream.isatty()

    def writable(self) -> bool:
        return True

    def write(self, text: str) -> int:
        if redacted_text := self._lines.take(text):
            self._stream.write(redacted_text)
            self._stream.flush()
        return len(text)

    def flush(self) -> None:
        self._stream.flush()

    def close(self) -> None:
        """Write what has no line's end yet."""
        self._stream.write(self._lines.end())
        self._stream.flush()

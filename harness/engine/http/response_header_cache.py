"""Heads of answers that were seen before, so that they need not be parsed again.

A server that is asked a thousand times a second answers with few different heads: the date in them changes once a
second. A head that a parser has found sound, before a body of a certain length, is known again by its bytes: the same
bytes mean the same.
"""

from __future__ import annotations

from typing import NamedTuple

_KEPT = 256
"""With more, an id in every one, say, the oldest go."""
_LONGEST = 2048
_SELDOM = 32


class CachedHeaders(NamedTuple):
    """What a head says, and the length of the body that follows it in one piece (not in chunks, not until the end)."""

    text: bytes
    status: int
    body_bytes: int
    sets_cookies: bool
    has_content_coding: bool


class ResponseHeaderCache:
    """One process's."""

    def __init__(self) -> None:
        self._by_text: dict[bytes, CachedHeaders] = {}
        self._misses = 0
        """How many came since one was known."""

    def find(self, text: bytes) -> CachedHeaders | None:
        """None: it was not seen before."""
        known = self._by_text.get(text)
        if known is not None:
            self._misses = 0
        return known

    def add(self, head: CachedHeaders) -> None:
        """Know this head from now on. Where all are new it is not worth while: then only one in many is kept, which
        will tell when that has changed.
        """
        self._misses += 1
        if len(head.text) > _LONGEST or (self._misses > _KEPT and self._misses % _SELDOM):
            return
        if len(self._by_text) >= _KEPT:
            self._by_text.pop(next(iter(self._by_text)))
        self._by_text[head.text] = head

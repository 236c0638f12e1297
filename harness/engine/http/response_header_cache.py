"""Remembers response headers, so that the same bytes need not be parsed again.

A server that handles a thousand requests per second sends few different headers, since the date in them changes only
once per second. Headers that the parser has accepted before a body of a certain length are recognized by their bytes.
"""

from __future__ import annotations

from typing import NamedTuple

HEADERS_END = b"\r\n\r\n"
_MAX_ENTRIES = 256
"""With more, such as an id in every response, the oldest are dropped."""
_MAX_ENTRY_BYTES = 2048
_MISSES_PER_ENTRY = 32
"""How many misses there are for each new entry while nothing is found."""


class CachedHeaders(NamedTuple):
    """Headers and what they mean. The body has ``body_bytes``, and is neither chunked nor ends with the connection."""

    text: bytes
    status: int
    body_bytes: int
    sets_cookies: bool
    has_content_coding: bool


class ResponseHeaderCache:
    """Response headers by their bytes."""

    def __init__(self) -> None:
        self._by_text: dict[bytes, CachedHeaders] = {}
        self._misses = 0
        """Headers that were not found since the last ones that were."""

    def recognize(self, data: bytes) -> CachedHeaders | None:
        """The entry for the headers of ``data``, if it is a whole response."""
        end = data.find(HEADERS_END) + 4
        cached = self.find(data[:end])
        return cached if cached is not None and len(data) - end == cached.body_bytes else None

    def find(self, text: bytes) -> CachedHeaders | None:
        """The entry for these bytes, if there is one."""
        cached = self._by_text.get(text)
        if cached is not None:
            self._misses = 0
        return cached

    def add(self, headers: CachedHeaders) -> None:
        """Add an entry. If no headers are ever found again, only one in :data:`_MISSES_PER_ENTRY` is added."""
        self._misses += 1
        if len(headers.text) > _MAX_ENTRY_BYTES or (self._misses > _MAX_ENTRIES and self._misses % _MISSES_PER_ENTRY):
            return
        if len(self._by_text) >= _MAX_ENTRIES:
            self._by_text.pop(next(iter(self._by_text)))
        self._by_text[headers.text] = headers


header_cache = ResponseHeaderCache()
"""One for the process, because users of a class receive the same headers."""

"""Bounds how many bytes of large response bodies a process keeps: what goes beyond is counted only."""

from __future__ import annotations

MAX_KEPT_BYTES = 512 * 1024 * 1024
"""How many bytes of bodies longer than :data:`LARGE_BYTES` a process keeps. Others are only counted."""
LARGE_BYTES = 256 * 1024


class KeptBytes:
    """The bytes of one large body. They count until the body is dropped, because its response holds this too."""

    total = 0
    """Of all large bodies in this process."""

    def __init__(self) -> None:
        self._count = 0

    def fit(self, count: int) -> bool:
        """Whether the process may keep ``count`` bytes of this body. If not, none of them are counted."""
        if KeptBytes.total + count - self._count > MAX_KEPT_BYTES:
            count = 0
        KeptBytes.total += count - self._count
        self._count = count
        return count > 0

    def __del__(self) -> None:
        KeptBytes.total -= self._count

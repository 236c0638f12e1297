"""The conditions of a network, and when data that meet them arrive."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator
from dataclasses import dataclass

RETRANSMIT_S = 0.2
"""How long Linux waits at the least before it sends a lost segment again; after each further loss twice as long."""
_MOST_LOSSES = 10
"""Of one piece in a row: 200 s."""
_PIECE_S = 0.02
"""The longest that a piece takes on a narrow line."""
_ROOM = 4 << 20
"""Bytes that may be under way on a line without a limit, as in a large TCP window."""
_NARROW_ROOM = 64 << 10
"""Bytes that wait before a narrow line."""


@dataclass(frozen=True, slots=True)
class Conditions:
    """What happens to connections; by default nothing. Sent as JSON: ``dataclasses.asdict``."""

    latency_s: float = 0.0
    """How much later the upstream's data arrive."""
    jitter_s: float = 0.0
    """By how much the latency varies, up and down, evenly."""
    loss: float = 0.0
    """The probability (0…1) that what one read brings is lost, and arrives after a retransmission. Both directions."""
    bytes_per_s: float | None = None
    """Of each connection and direction."""
    reset_after: int | None = None
    """Reset a connection after this many bytes from the upstream; 0: at once, new connections, too."""
    refuse: bool = False
    """Nobody listens; open connections are reset."""
    blackhole: bool = False
    """Connections are accepted and stay open, but nothing is forwarded until it ends."""
    share: float = 1.0
    """Which share of the connections (0…1) this happens to."""

    @property
    def delays(self) -> bool:
        """Whether data arrive later than without."""
        return bool(self.latency_s or self.jitter_s or self.loss or self.bytes_per_s)

    @property
    def closes_listener(self) -> bool:
        return self.refuse and self.share >= 1.0

    @property
    def resets_at_once(self) -> bool:
        return self.refuse or self.reset_after == 0

    @property
    def room(self) -> float:
        """How many bytes may be in transit before the sender must wait."""
        if self.bytes_per_s is None:
            return _ROOM
        return _NARROW_ROOM + self.bytes_per_s * self.latency_s

    def pieces(self, data: bytes) -> Iterator[bytes]:
        """``data`` in pieces that a narrow line sends one after another."""
        longest = len(data) if self.bytes_per_s is None else max(1, math.ceil(self.bytes_per_s * _PIECE_S))
        for start in range(0, len(data), longest):
            yield data[start : start + longest]

    def late_by_s(self, *, from_upstream: bool) -> float:
        """How much later than without these conditions a piece arrives, drawn at random."""
        late_s = 0.0
        if from_upstream:
            late_s = max(0.0, self.latency_s + random.uniform(-self.jitter_s, self.jitter_s))
        wait_s = RETRANSMIT_S
        for _ in range(_MOST_LOSSES):
            if random.random() >= self.loss:
                break
            late_s += wait_s
            wait_s *= 2
        return late_s


CLEAR = Conditions()

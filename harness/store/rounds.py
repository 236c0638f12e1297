"""A benchmark's rounds as the store keeps them: every one, or, of very many, means of as many of them each.

A function that takes a microsecond has 200,000 rounds a second. The run folder holds each; a team's store, with a bench
a night for years, holds at most :data:`MOST` values of a benchmark: the means of equally many rounds, in order.
"""

from __future__ import annotations

import zlib

import numpy as np

from harness.record.suite import Rounds

MOST = 10_000


def pack(rounds: Rounds) -> bytes:
    """``rounds`` (seconds, in order) as compressed 8-byte floats, little-endian."""
    step = -(-len(rounds) // MOST)
    whole = len(rounds) - len(rounds) % step
    kept = rounds[:whole].reshape(-1, step).mean(axis=1)
    return zlib.compress(kept.astype("<f8").tobytes())


def unpack(packed: bytes) -> Rounds:
    """What :func:`pack` was given, as far as it keeps it."""
    return np.frombuffer(zlib.decompress(packed), dtype="<f8").astype(np.float64)

"""Packs the rounds of a benchmark for the store: all of them, or if there are very many, means of several.

A function that takes a microsecond has 200,000 rounds a second. The run folder has each of them. A team's store, with a
bench each night for years, has at most :data:`MOST` values of a benchmark: means of equally many rounds, in order.
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
    means = rounds[:whole].reshape(-1, step).mean(axis=1)
    return zlib.compress(means.astype("<f8").tobytes())


def unpack(packed: bytes) -> Rounds:
    """The rounds, or their means, that :func:`pack` kept."""
    return np.frombuffer(zlib.decompress(packed), dtype="<f8").astype(np.float64)

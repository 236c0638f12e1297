"""Which series are of a connection pool, by the names that applications give them."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import NamedTuple

_IN_USE = ("_in_use", "_checkedout", "_checked_out", "_active", "_busy", "_used", "_in_use_connections")
_SIZES = ("_size", "_max", "_limit", "_capacity", "_max_size", "_max_open_connections")
_WAITING = ("_waiting", "_pending", "_waiters")


class Pool(NamedTuple):
    """The names of a pool's series."""

    in_use: str
    size: str
    waiting: str | None


def pools_in(names: Collection[str]) -> Iterator[Pool]:
    """The pools whose size and number in use are both among ``names``."""
    known = set(names)
    for name in names:
        for ending in _IN_USE:
            base = name.removesuffix(ending)
            size = next((base + other for other in _SIZES if base + other in known), None)
            if base != name and size is not None:
                waiting = next((base + other for other in _WAITING if base + other in known), None)
                yield Pool(name, size, waiting)

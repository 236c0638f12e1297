"""Which defects are switched on: ``SHOP_DEFECTS=name[:value],…``, checked before anything starts.

What each defect does is in `harness.shop.defective`, a function each, so that a profiler can name it.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from dataclasses import dataclass

from harness.shop.errors import ShopStartError


@dataclass(frozen=True)
class Kind:
    """One defect that can be switched on; ``unit`` is what its value counts (None: it takes no value)."""

    effect: str
    unit: str | None = None
    default: int = 1
    maximum: int = 1


KINDS: Mapping[str, Kind] = {
    "slow_search": Kind("ranks every product by edit distance", "rankings for each search", 1, 100),
    "n_plus_one": Kind("reads each item's stock by a query of its own", "queries for each item", 5, 100),
    "leak": Kind("keeps every response in a list that is never emptied", "KiB for each request", 16, 1024),
    "oversell": Kind("takes the stock from the cache, and writes it back as a fixed number"),
    "small_pool": Kind(
        "holds a connection for the whole request, of a pool too small for that", "connections", 1, 1000
    ),
    "cache_off": Kind("reads everything from the database"),
    "lock_convoy": Kind("counts the whole stock under one global lock", "counts for each request", 20, 1000),
    "slow_serialization": Kind("copies and renders responses in pure Python", "copies for each response", 100, 1000),
    "no_timeout": Kind("waits for the payment vendor without a time limit, and asks it however often it fails"),
    "no_idempotency": Kind("sends charges again without a key that the vendor knows them by"),
}


@dataclass(frozen=True)
class Defects:
    """The value of each defect that is switched on; 0 where it is off."""

    slow_search: int = 0
    n_plus_one: int = 0
    leak: int = 0
    oversell: int = 0
    small_pool: int = 0
    cache_off: int = 0
    lock_convoy: int = 0
    slow_serialization: int = 0
    no_timeout: int = 0
    no_idempotency: int = 0

    def __str__(self) -> str:
        on = [f"{name}:{value}" if KINDS[name].unit else name for name, value in vars(self).items() if value]
        return ", ".join(on) or "none"


def parse_defects(text: str) -> Defects:
    """The defects that ``text`` (``name[:value],…``) switches on; raises `ShopStartError` on any that is not one."""
    values: dict[str, int] = {}
    for entry in [part.strip() for part in text.split(",")] if text.strip() else []:
        name, colon, value = entry.partition(":")
        kind = KINDS.get(name)
        if kind is None:
            close = difflib.get_close_matches(name, KINDS, n=1)
            hint = f"did you mean {close[0]}?" if close else f"known: {', '.join(KINDS)}"
            raise ShopStartError(f"SHOP_DEFECTS: no defect is called {name!r}; {hint}")
        if name in values:
            raise ShopStartError(f"SHOP_DEFECTS: {name} is given twice")
        values[name] = _value(entry, kind, value) if colon else kind.default
    return Defects(**values)


def _value(entry: str, kind: Kind, text: str) -> int:
    if kind.unit is None:
        raise ShopStartError(f"SHOP_DEFECTS: {entry!r}: this defect is on or off and takes no value")
    if not (re.fullmatch("[0-9]{1,9}", text) and 1 <= int(text) <= kind.maximum):
        raise ShopStartError(
            f"SHOP_DEFECTS: {entry!r}: the value is a whole number from 1 to {kind.maximum} ({kind.unit})"
        )
    return int(text)

"""What was read lately, kept in this process or in Redis for a few seconds, with hits and misses counted."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, Protocol, cast

from cachetools import TTLCache

if TYPE_CHECKING:
    from redis import Redis

TTL_S = 5
"""Seconds an entry lives: the longest a list or a search may show stock that is gone."""

MAX_ENTRIES = 20_000

type_of_value = Any  # JSON: what json.loads gives


class Store(Protocol):
    """Where entries are kept; values are JSON values and are never changed once set."""

    def get_many(self, keys: list[str]) -> dict[str, Any]:
        """The entries that are there."""
        ...

    def set_many(self, entries: Mapping[str, Any]) -> None:
        """Keeps the entries for `TTL_S` seconds."""
        ...

    def delete_many(self, keys: list[str]) -> None:
        """Forgets the entries."""
        ...

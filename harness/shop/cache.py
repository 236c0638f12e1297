"""What was read lately, kept in this process or in Redis for a few seconds, with hits and misses counted."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Protocol

from cachetools import TTLCache
from prometheus_client import Counter

if TYPE_CHECKING:
    from redis import Redis

TTL_S = 5
"""Seconds an entry lives: the longest that a list or a search may show stock that is gone."""

MAX_ENTRIES = 20_000


class Store(Protocol):
    """Where entries are kept. Values are JSON values that nobody changes once they are set."""

    def get_many(self, keys: list[str]) -> list[Any]:
        """The value of each key, None where there is none."""
        ...

    def set_many(self, entries: Mapping[str, Any]) -> None:
        """Keeps the entries for `TTL_S` seconds."""
        ...

    def delete_many(self, keys: list[str]) -> None:
        """Forgets the entries."""
        ...


class MemoryStore:
    """Entries in this process; the least recently used goes where there are too many."""

    def __init__(self) -> None:
        self._entries: TTLCache[str, Any] = TTLCache(MAX_ENTRIES, TTL_S)
        self._lock = threading.Lock()

    def get_many(self, keys: list[str]) -> list[Any]:
        with self._lock:
            return [self._entries.get(key) for key in keys]

    def set_many(self, entries: Mapping[str, Any]) -> None:
        with self._lock:
            self._entries.update(entries)

    def delete_many(self, keys: list[str]) -> None:
        with self._lock:
            for key in keys:
                self._entries.pop(key, None)


class RedisStore:
    """Entries in Redis as JSON, shared by every shop that uses it."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    def get_many(self, keys: list[str]) -> list[Any]:
        return [None if value is None else json.loads(value) for value in self._redis.mget(keys)]

    def set_many(self, entries: Mapping[str, Any]) -> None:
        pipeline = self._redis.pipeline(transaction=False)
        for key, value in entries.items():
            pipeline.set(key, json.dumps(value), ex=TTL_S)
        pipeline.execute()

    def delete_many(self, keys: list[str]) -> None:
        self._redis.unlink(*keys)


class ReadCache:
    """Reads through a store: what is not there is loaded and kept."""

    def __init__(self, store: Store, hits: Counter, misses: Counter) -> None:
        self._store = store
        self._hits = hits
        self._misses = misses

    def fetch(self, key: str, load: Callable[[], Any]) -> Any:
        """The value under ``key``; from ``load``, and kept, where there is none."""
        return self.fetch_many({key: None}, lambda _: {key: load()})[key]

    def fetch_many(self, keys: Mapping[str, int | None], load: Callable[[list[Any]], dict[str, Any]]) -> dict[str, Any]:
        """The value under each of ``keys`` (key → what ``load`` knows it by); ``load`` gets those not kept.

        What ``load`` does not return is missing from the result too.
        """
        values = self._store.get_many(list(keys))
        found = {key: value for key, value in zip(keys, values, strict=True) if value is not None}
        self._hits.inc(len(found))
        missing = [key for key in keys if key not in found]
        if missing:
            self._misses.inc(len(missing))
            loaded = load([keys[key] for key in missing])
            if loaded:
                self._store.set_many(loaded)
            found |= loaded
        return found

    def forget(self, keys: list[str]) -> None:
        """Drops the entries, so that the next read is fresh."""
        self._store.delete_many(keys)

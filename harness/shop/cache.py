"""A cache of recent reads, in this process or in Redis, that counts hits and misses."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from cachetools import TTLCache
from prometheus_client import Counter

from harness.shop.breaker import Breaker

if TYPE_CHECKING:
    from redis import Redis

TTL_S = 5
"""Seconds until an entry expires: the longest that a list or a search may show stock that is sold."""

MAX_ENTRIES = 20_000
_FAILURES, _COOL_DOWN_S = 3, 1.0

Result = TypeVar("Result")


class Store(Protocol):
    """Where entries are kept. Values are JSON values that are not changed once they are set."""

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


class DispensableStore:
    """A store that may be away. Nothing is found in it then, and it is left alone for a while."""

    def __init__(self, store: Store, error: type[Exception]) -> None:
        self._store = store
        self._error = error
        self._breaker = Breaker(_FAILURES, _COOL_DOWN_S)

    def get_many(self, keys: list[str]) -> list[Any]:
        return self._tried(lambda: self._store.get_many(keys), [None] * len(keys))

    def set_many(self, entries: Mapping[str, Any]) -> None:
        self._tried(lambda: self._store.set_many(entries), None)

    def delete_many(self, keys: list[str]) -> None:
        self._tried(lambda: self._store.delete_many(keys), None)

    def _tried(self, use: Callable[[], Result], instead: Result) -> Result:
        if not self._breaker.admit():
            return instead
        try:
            result = use()
        except self._error:
            self._breaker.failed()
            return instead
        self._breaker.succeeded()
        return result


class ReadCache:
    """Reads through a store: a missing entry is loaded and kept."""

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

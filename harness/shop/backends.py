"""Opens the cache and the sessions, which live outside the database, from ``SHOP_CACHE_URL``."""

from __future__ import annotations

from typing import NamedTuple

from harness.shop.cache import MemoryStore, RedisStore, Store
from harness.shop.errors import ShopStartError
from harness.shop.sessions import MemorySessions, RedisSessions, Sessions

REDIS_TIMEOUT_S = 2.0


class Backends(NamedTuple):
    """Where reads are cached and where sessions live; ``errors`` are what either raises when it is unreachable."""

    cache: Store
    sessions: Sessions
    errors: tuple[type[Exception], ...]


def open_backends(url: str, *, fresh: bool) -> Backends:
    """In this process for ``memory://``, else in Redis; ``fresh`` drops what an earlier shop left there.

    Raises `ShopStartError` if the URL is neither, or the server does not respond.
    """
    if url == "memory://":
        return Backends(MemoryStore(), MemorySessions(), ())
    if not url.startswith(("redis://", "rediss://", "unix://")):
        raise ShopStartError(f"SHOP_CACHE_URL: {url!r} is neither memory:// nor redis://HOST:PORT/NUMBER")
    try:
        import redis
    except ModuleNotFoundError as error:
        raise ShopStartError("SHOP_CACHE_URL: redis is not installed: uv sync --extra redis") from error
    try:
        client = redis.Redis.from_url(
            url, decode_responses=True, socket_timeout=REDIS_TIMEOUT_S, socket_connect_timeout=REDIS_TIMEOUT_S
        )
        client.ping()
        if fresh:
            for key in client.scan_iter("shop:*", count=1000):
                client.unlink(key)
    except (redis.RedisError, ValueError) as error:
        raise ShopStartError(f"SHOP_CACHE_URL: cannot use {url}: {error}") from error
    return Backends(RedisStore(client), RedisSessions(client), (redis.RedisError,))

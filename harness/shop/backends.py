"""Opens the cache and the carts, which live outside the database, from ``SHOP_CACHE_URL``."""

from __future__ import annotations

from typing import NamedTuple

from harness.shop.cache import DispensableStore, MemoryStore, RedisStore, Store
from harness.shop.errors import ShopStartError
from harness.shop.sessions import MemorySessions, RedisSessions, Sessions

REDIS_TIMEOUT_S = 0.5


class Backends(NamedTuple):
    """Where reads are cached and where carts are; ``errors`` are what the carts raise when they are unreachable."""

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
        from redis.backoff import NoBackoff
        from redis.retry import Retry
    except ModuleNotFoundError as error:
        raise ShopStartError("SHOP_CACHE_URL: redis is not installed: uv sync --extra redis") from error
    try:
        client = redis.Redis.from_url(
            url,
            decode_responses=True,
            socket_timeout=REDIS_TIMEOUT_S,
            socket_connect_timeout=REDIS_TIMEOUT_S,
            # Reconnect once if the server has closed the connection. By default, redis-py tries for seconds.
            retry=Retry(NoBackoff(), 1, supported_errors=(redis.ConnectionError,)),
        )
        client.ping()
        if fresh:
            for key in client.scan_iter("shop:*", count=1000):
                client.unlink(key)
    except (redis.RedisError, ValueError) as error:
        raise ShopStartError(f"SHOP_CACHE_URL: cannot use {url}: {error}") from error
    cache = DispensableStore(RedisStore(client), redis.RedisError)
    return Backends(cache, RedisSessions(client), (redis.RedisError,))

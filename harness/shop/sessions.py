"""What is in the cart of each session: in this process, or in Redis for several shops at once.

It is not in the database: a cart changes three times as often as an order is placed, and with SQLite each change would
queue behind the checkouts. What is lost with the process, or with the cache, is a cart, never an order.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Protocol

from cachetools import TTLCache

from harness.shop.tokens import SESSION_S

if TYPE_CHECKING:
    from redis import Redis

MAX_SESSIONS = 200_000

Cart = dict[int, int]
"""Product id → quantity."""


class Sessions(Protocol):
    """The carts of sessions, by token. A cart expires `SESSION_S` after its last change."""

    def cart(self, token: str) -> Cart:
        """What is in the cart now."""
        ...

    def add_to_cart(self, token: str, product_id: int, quantity: int) -> Cart:
        """Adds to the cart, and returns the new cart."""
        ...

    def take_cart(self, token: str) -> Cart:
        """Empties the cart and returns its contents in one step: only one of two concurrent checkouts gets them."""
        ...


class MemorySessions:
    """Carts in this process."""

    def __init__(self) -> None:
        self._carts: TTLCache[str, Cart] = TTLCache(MAX_SESSIONS, SESSION_S)
        self._lock = threading.Lock()

    def cart(self, token: str) -> Cart:
        with self._lock:
            return dict(self._carts.get(token, {}))

    def add_to_cart(self, token: str, product_id: int, quantity: int) -> Cart:
        with self._lock:
            cart = self._carts.get(token, {})
            cart[product_id] = cart.get(product_id, 0) + quantity
            self._carts[token] = cart
            return dict(cart)

    def take_cart(self, token: str) -> Cart:
        with self._lock:
            return self._carts.pop(token, {})


class RedisSessions:
    """Carts in Redis, a hash each."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    def cart(self, token: str) -> Cart:
        return _as_cart(self._redis.hgetall(_cart_key(token)))

    def add_to_cart(self, token: str, product_id: int, quantity: int) -> Cart:
        pipeline = self._redis.pipeline()
        pipeline.hincrby(_cart_key(token), str(product_id), quantity)
        pipeline.expire(_cart_key(token), SESSION_S)
        pipeline.hgetall(_cart_key(token))
        return _as_cart(pipeline.execute()[2])

    def take_cart(self, token: str) -> Cart:
        pipeline = self._redis.pipeline()
        pipeline.hgetall(_cart_key(token))
        pipeline.delete(_cart_key(token))
        return _as_cart(pipeline.execute()[0])


def _cart_key(token: str) -> str:
    return f"shop:cart:{token}"


def _as_cart(fields: Mapping[Any, Any]) -> Cart:
    return {int(product_id): int(quantity) for product_id, quantity in fields.items()}

"""Who is logged in and what is in their cart: in this process, or in Redis for several shops at once.

Neither is in the database: a cart changes three times as often as an order is placed, and with SQLite each
change would queue behind the checkouts. What is lost with the process is a cart, never an order.
"""

from __future__ import annotations

import secrets
import threading
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Protocol

from cachetools import TTLCache

if TYPE_CHECKING:
    from redis import Redis

SESSION_S = 1800
"""Seconds that a session lives after log-in, and a cart after its last change."""

MAX_SESSIONS = 200_000

Cart = dict[int, int]
"""Product id → quantity."""


class Sessions(Protocol):
    """Sessions by token, each with one cart."""

    def log_in(self, user: str) -> str:
        """A new session's token."""
        ...

    def user_of(self, token: str) -> str | None:
        """Whose session it is; None for a token that is unknown or too old."""
        ...

    def cart(self, token: str) -> Cart:
        """What is in the cart now."""
        ...

    def add_to_cart(self, token: str, product_id: int, quantity: int) -> Cart:
        """Adds to what is there already, and gives the cart as it then is."""
        ...

    def take_cart(self, token: str) -> Cart:
        """Empties the cart and gives what was in it, as one step: of two checkouts at once only one gets it."""
        ...


class MemorySessions:
    """Sessions in this process."""

    def __init__(self) -> None:
        self._users: TTLCache[str, str] = TTLCache(MAX_SESSIONS, SESSION_S)
        self._carts: TTLCache[str, Cart] = TTLCache(MAX_SESSIONS, SESSION_S)
        self._lock = threading.Lock()

    def log_in(self, user: str) -> str:
        token = secrets.token_urlsafe(16)
        with self._lock:
            self._users[token] = user
        return token

    def user_of(self, token: str) -> str | None:
        with self._lock:
            return self._users.get(token)

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
    """Sessions in Redis: a string for the user and a hash for the cart."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    def log_in(self, user: str) -> str:
        token = secrets.token_urlsafe(16)
        self._redis.set(f"shop:session:{token}", user, ex=SESSION_S)
        return token

    def user_of(self, token: str) -> str | None:
        user = self._redis.get(f"shop:session:{token}")
        return None if user is None else str(user)

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

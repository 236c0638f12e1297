"""The defects, each as a careless change could have made it, in a function that a profiler can name.

`harness.shop.defects` says which are on. None merely sleeps: each does too much work, or leaves out what is needed.
"""

from __future__ import annotations

import copy
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection, Executable, func, select, update
from sqlalchemy.exc import OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from starlette.concurrency import run_in_threadpool
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from harness.shop.database import Database
from harness.shop.errors import SoldOut
from harness.shop.item import Item
from harness.shop.tables import Product
from harness.shop.traffic import UNCOUNTED

_NAMES = select(Product.id, Product.name).order_by(Product.id)
_remembered: list[bytes] = []
_global_lock = threading.Lock()


def rank_by_edit_distance(database: Database, query: str, hits: list[Item], times: int) -> list[Item]:
    """``slow_search``: reads and ranks the names of *all* products, ``times`` over, to put a few ``hits`` in order."""
    ranks: dict[int, int] = {}
    for _ in range(times):
        with database.read() as connection:
            names = {row.id: row.name for row in connection.execute(_NAMES)}
        ranks = ranks_by_edit_distance(query, names)
    return sorted(hits, key=lambda hit: ranks[hit["id"]])


def ranks_by_edit_distance(query: str, names: Mapping[int, str]) -> dict[int, int]:
    """The rank of each of ``names`` by edit distance to ``query``."""
    ranked = sorted(names, key=lambda id_: _edit_distance(query.lower(), names[id_].lower()))
    return {id_: rank for rank, id_ in enumerate(ranked)}


def _edit_distance(a: str, b: str) -> int:
    """Levenshtein's, row by row (Wagner and Fischer, 1974)."""
    previous = list(range(len(b) + 1))
    for i, letter in enumerate(a, 1):
        current = [i]
        for j, other in enumerate(b, 1):
            current.append(min(previous[j] + 1, current[-1] + 1, previous[j - 1] + (letter != other)))
        previous = current
    return previous[-1]


def read_item_by_item(database: Database, by_id: Executable, ids: Iterable[int], queries_each: int) -> list[Any]:
    """``n_plus_one``: what one query could read, by ``queries_each`` queries for each of ``ids``."""
    rows = []
    with database.read() as connection:
        for id_ in ids:
            for _ in range(queries_each):
                row = connection.execute(by_id, {"ids": [id_]}).one()
            rows.append(row)
    return rows


def remember_response(body: bytes, kib: int) -> None:
    """``leak``: keeps ``kib`` KiB of every response, for ever."""
    size = kib * 1024
    _remembered.append((body * (size // max(len(body), 1) + 1))[:size])


def stock_in_cache(products: Mapping[int, Item]) -> dict[int, int]:
    """``oversell``, first half: the stock of ``products`` from the cache, which may be seconds old."""
    return {product_id: item["stock"] for product_id, item in products.items()}


def write_stale_stock(connection: Connection, seen: Mapping[int, int], product_id: int, quantity: int) -> int:
    """``oversell``, second half: writes the stock seen earlier, less ``quantity``, over whatever is there now."""
    if seen[product_id] < quantity:
        raise SoldOut(product_id)
    return connection.execute(
        update(Product)
        .where(Product.id == product_id)
        .values(stock=seen[product_id] - quantity)
        .returning(Product.price_cents)
    ).scalar_one()


class ConnectionPerRequest:
    """``small_pool``: middleware that takes a connection before a request needs one and keeps it to the very end.

    While it waits for a thread, for the cache or for the vendor, the request holds what others wait for; and once
    every thread waits for a connection, those that have one wait for a thread.
    """

    def __init__(self, app: ASGIApp, database: Database) -> None:
        self._app = app
        self._database = database

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] in UNCOUNTED:
            await self._app(scope, receive, send)
            return
        try:
            connection = await run_in_threadpool(self._database.take)
        except (PoolTimeout, OperationalError):
            await JSONResponse({"error": "unavailable"}, 503)(scope, receive, send)
            return
        try:
            with self._database.use(connection):
                await self._app(scope, receive, send)
        finally:
            await run_in_threadpool(connection.close)


class NullStore:
    """``cache_off``: a store for the cache in which nothing is ever found."""

    def get_many(self, keys: list[str]) -> list[Any]:
        return [None] * len(keys)

    def set_many(self, entries: Mapping[str, Any]) -> None:
        """Keeps none of them."""

    def delete_many(self, keys: list[str]) -> None:
        """Has none of them."""


def post_without_limit(
    request: Callable[[str, str, bytes, Mapping[str, str], float | None], tuple[int, bytes]],
    url: str,
    body: bytes,
    headers: Mapping[str, str],
) -> int:
    """``no_timeout``: the status of the response, however long it takes. A waiting request blocks a thread."""
    return request("POST", url, body, headers, None)[0]


def without_key(headers: Mapping[str, str]) -> dict[str, str]:
    """``no_idempotency``: the vendor cannot tell a charge that is sent again from a new one."""
    return {name: value for name, value in headers.items() if name != "Idempotency-Key"}


@contextmanager
def count_stock_under_global_lock(database: Database, counts: int) -> Iterator[None]:
    """``lock_convoy``: every request waits for one lock, and its holder counts the whole stock ``counts`` times."""
    with _global_lock:
        with database.read() as connection:
            for _ in range(counts):
                connection.execute(select(func.sum(Product.stock), func.sum(Product.price_cents))).one()
        yield


def render_in_pure_python(value: Any, copies: int) -> str:
    """``slow_serialization``: JSON by string building, after ``copies`` deep copies to be on the safe side."""
    for _ in range(copies):
        value = copy.deepcopy(value)
    return _render(value)


def _render(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ",".join(f"{_render(key)}:{_render(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(_render, value)) + "]"
    if isinstance(value, str):
        return '"' + "".join(_ESCAPES.get(letter, letter) for letter in value) + '"'
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    return str(value)


_ESCAPES = {'"': '\\"', "\\": "\\\\"} | {chr(code): f"\\u{code:04x}" for code in range(32)}

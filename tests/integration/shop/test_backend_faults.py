"""Database or cache are lost, locked, unresponsive or flushed: the shop serves what it can, and the rest is a 503."""

from __future__ import annotations

import signal
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import httpx
import psutil
import psycopg
import pytest
import redis

from tests.integration.shop.buyer import Buyer, get
from tests.support.children import wait_until
from tests.support.faults import suspend
from tests.support.postgresql import PostgreSQL
from tests.support.redis_server import start_redis
from tests.support.shop_process import start_shop

SHORT = {"SHOP_PRODUCTS": "50"}


def is_unavailable(response: httpx.Response) -> bool:
    return (
        response.status_code == 503
        and response.json() == {"error": "unavailable"}
        and int(response.headers["Retry-After"]) > 0
    )


@pytest.fixture
def database_and_shop(postgresql: PostgreSQL) -> Iterator[tuple[psycopg.Connection, str]]:
    url = postgresql.new_database()
    with psycopg.connect(url, autocommit=True) as connection, start_shop({**SHORT, "SHOP_DATABASE_URL": url}) as shop:
        yield connection, shop.url


def backends(connection: psycopg.Connection) -> list[int]:
    """The server's processes for the shop."""
    rows = connection.execute(
        "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
    )
    return [pid for (pid,) in rows]


@pytest.mark.slow
def test_lost_connections_are_reopened(database_and_shop: tuple[psycopg.Connection, str]) -> None:
    connection, shop = database_and_shop
    with Buyer(shop) as buyer:
        for product_id in range(1, 6):
            buyer.add(product_id)
            for pid in backends(connection):
                connection.execute("SELECT pg_terminate_backend(%s, 5000)", (pid,))
            assert buyer.check_out().status_code == 201
            for pid in backends(connection):
                connection.execute("SELECT pg_terminate_backend(%s, 5000)", (pid,))
            assert buyer.http.get("/products", params={"page": product_id, "size": 3}).status_code == 200
    assert get(shop, "/ledger")["orders"] == 5


@pytest.mark.slow
def test_a_connection_without_a_response_is_abandoned(database_and_shop: tuple[psycopg.Connection, str]) -> None:
    connection, shop = database_and_shop
    get(shop, "/products/1")
    silent = [psutil.Process(pid) for pid in backends(connection)]
    for process in silent:
        suspend(process)
    try:
        begun = time.monotonic()
        assert get(shop, "/products/2")["id"] == 2  # over a new connection
        assert time.monotonic() - begun < 10
    finally:
        for process in silent:
            process.resume()


@pytest.mark.slow
def test_a_lock_that_is_held_is_not_waited_for_long(database_and_shop: tuple[psycopg.Connection, str]) -> None:
    connection, shop = database_and_shop
    with Buyer(shop) as buyer:
        buyer.add(1)
        with connection.transaction():
            connection.execute("UPDATE shop_products SET stock = stock WHERE id = 1")
            begun = time.monotonic()
            assert is_unavailable(buyer.check_out())
            assert time.monotonic() - begun < 8
        assert buyer.check_out().status_code == 201


@pytest.mark.slow
def test_a_locked_sqlite_file_can_be_read(tmp_path: Path) -> None:
    with start_shop({**SHORT, "SHOP_DATA_DIR": str(tmp_path)}) as shop, Buyer(shop.url) as buyer:
        buyer.add(1)
        with closing(sqlite3.connect(tmp_path / "shop.db", isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            begun = time.monotonic()
            assert is_unavailable(buyer.check_out())
            assert time.monotonic() - begun < 8
            assert get(shop.url, "/products/2")["id"] == 2
            other.execute("ROLLBACK")
        assert buyer.check_out().status_code == 201
        assert get(shop.url, "/ledger")["consistent"]


def test_a_cache_that_is_flushed_logs_nobody_out() -> None:
    with start_redis() as url, start_shop({**SHORT, "SHOP_CACHE_URL": url}) as shop, Buyer(shop.url) as buyer:
        buyer.add(1)
        with redis.Redis.from_url(url) as cache:
            cache.flushall()
        assert buyer.http.get("/cart").json()["items"] == []
        assert buyer.buy(2).status_code == 201


@pytest.mark.slow
def test_without_the_cache_the_database_is_read() -> None:
    with start_redis() as url, start_shop({**SHORT, "SHOP_CACHE_URL": url}) as shop, Buyer(shop.url) as buyer:
        with redis.Redis.from_url(url) as cache:
            server = psutil.Process(cache.info("server")["process_id"])
        suspend(server)
        begun = time.monotonic()
        for product_id in range(1, 21):
            assert get(shop.url, f"/products/{product_id}")["id"] == product_id
        assert time.monotonic() - begun < 15  # else each of them would wait for the cache
        assert is_unavailable(buyer.http.get("/cart"))
        server.resume()
        wait_until(lambda: buyer.buy(1).status_code == 201, what="a sale")
        server.send_signal(signal.SIGTERM)
        server.wait(10)
        assert get(shop.url, "/products?page=2")["page"] == 2
        assert is_unavailable(buyer.http.get("/cart"))


@pytest.mark.slow
def test_an_unexpected_error_is_a_500_without_a_stack_trace() -> None:
    with start_redis() as url, start_shop({**SHORT, "SHOP_CACHE_URL": url}) as shop:
        with redis.Redis.from_url(url) as cache:
            cache.set("shop:product:1", "no JSON")
        response = httpx.get(f"{shop.url}/products/1", trust_env=False, verify=False)

    assert (response.status_code, response.json()) == (500, {"error": "internal"})

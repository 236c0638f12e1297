"""The shop's hot functions without a server: rendering, cached and uncached reads, checkout.

The shop has its defaults: SQLite and 3,000 products. ``SHOP_DEFECTS`` applies, too:
``SHOP_DEFECTS=slow_serialization harness bench benchmarks/micro`` shows what that defect slows down. The payment vendor
takes no time, because its time is not the shop's.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi import Response
from pytest_benchmark.fixture import BenchmarkFixture

from harness.shop.app import AddToCart, Endpoints, LogIn, render
from harness.shop.backends import open_backends
from harness.shop.database import Database
from harness.shop.defects import Defects, parse_defects
from harness.shop.ledger import read_ledger
from harness.shop.payment_client import PaymentClient
from harness.shop.seed import seed, words_of

PRODUCTS = 3000
IN_CART = 10


class InstantPayments(PaymentClient):
    """A payment vendor that takes no time."""

    def __init__(self) -> None:
        super().__init__("http://127.0.0.1:9")

    def charge(self, order_id: int, amount_cents: int, key: str) -> None:
        """Accept the charge."""


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    folder: Path = tmp_path_factory.mktemp("shop")
    database = Database.open(f"sqlite:///{folder}/shop.sqlite")
    seed(database, products=PRODUCTS, stock=1_000_000_000, seed=1)
    yield database
    database.close()


@pytest.fixture(scope="module")
def defects() -> Defects:
    return parse_defects(os.environ.get("SHOP_DEFECTS", ""))


@pytest.fixture(scope="module")
def shop(database: Database, defects: Defects) -> Endpoints:
    return Endpoints(database, open_backends("memory://", fresh=True), InstantPayments(), defects)


@pytest.fixture(scope="module")
def shop_without_cache(database: Database) -> Endpoints:
    return Endpoints(database, open_backends("memory://", fresh=True), InstantPayments(), parse_defects("cache_off"))


@pytest.fixture(scope="module")
def shopper(shop: Endpoints) -> str:
    """``Authorization`` of a user who has logged in and has :data:`IN_CART` products in the cart."""
    authorization = f"Bearer {body_of(shop.log_in(LogIn(user='somebody')))['token']}"
    fill_cart(shop, authorization)
    return authorization


def fill_cart(shop: Endpoints, authorization: str) -> None:
    for product in range(1, IN_CART + 1):
        shop.add_to_cart(AddToCart(product_id=product, quantity=2), authorization)


def body_of(response: Response) -> Any:
    """The JSON body of a response."""
    return json.loads(bytes(response.body))


def test_serialize_cart(benchmark: BenchmarkFixture, shop: Endpoints, shopper: str) -> None:
    cart = body_of(shop.show_cart(shopper))
    assert json.loads(benchmark(render, cart)) == cart


def test_serialize_page(benchmark: BenchmarkFixture, shop: Endpoints) -> None:
    page = body_of(shop.list_products(1, 100))
    assert json.loads(benchmark(render, page)) == page


def test_read_search_words(benchmark: BenchmarkFixture) -> None:
    assert benchmark(words_of, "Swift  BAMBOO lamp, swift!") == ["swift", "bamboo", "lamp"]


def test_list_products(benchmark: BenchmarkFixture, shop: Endpoints) -> None:
    assert len(body_of(benchmark(shop.list_products, 1, 20))["items"]) == 20


def test_list_products_uncached(benchmark: BenchmarkFixture, shop_without_cache: Endpoints) -> None:
    assert len(body_of(benchmark(shop_without_cache.list_products, 1, 20))["items"]) == 20


def test_search(benchmark: BenchmarkFixture, shop: Endpoints) -> None:
    assert body_of(benchmark(shop.search, "bamboo la"))["total"] > 0


def test_search_uncached(benchmark: BenchmarkFixture, shop_without_cache: Endpoints) -> None:
    assert body_of(benchmark(shop_without_cache.search, "bamboo la"))["total"] > 0


def test_show_cart(benchmark: BenchmarkFixture, shop: Endpoints, shopper: str) -> None:
    assert len(body_of(benchmark(shop.show_cart, shopper))["items"]) == IN_CART


def test_read_ledger(benchmark: BenchmarkFixture, database: Database) -> None:
    assert benchmark.pedantic(read_ledger, (database,), rounds=30, warmup_rounds=2)["consistent"]


def test_check_out(benchmark: BenchmarkFixture, shop: Endpoints) -> None:
    """Each call empties the cart, so it is filled before each. This comes last, because it adds orders."""

    def with_full_cart() -> tuple[tuple[str], dict[str, Any]]:
        authorization = f"Bearer {body_of(shop.log_in(LogIn(user='buyer')))['token']}"
        fill_cart(shop, authorization)
        return (authorization,), {}

    receipt = benchmark.pedantic(shop.check_out, setup=with_full_cart, rounds=200, warmup_rounds=5)
    assert body_of(receipt)["status"] == "paid"

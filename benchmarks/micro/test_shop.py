"""What the shop does most, without a server around it: rendering, reads through the cache and past it, checkout.

On SQLite, with 3,000 products, as the shop starts by default. ``SHOP_DEFECTS`` holds here, too:
``SHOP_DEFECTS=slow_serialization harness bench benchmarks/micro`` shows which of them it slows down. The payment vendor
is left out, for its time is not the shop's.
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


class PaidAtOnce(PaymentClient):
    """A vendor that takes no time."""

    def __init__(self) -> None:
        super().__init__("http://127.0.0.1:9")

    def charge(self, order_id: int, amount_cents: int) -> None:
        """Every charge is paid."""


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
    return Endpoints(database, open_backends("memory://", fresh=True), PaidAtOnce(), defects)


@pytest.fixture(scope="module")
def shop_without_cache(database: Database) -> Endpoints:
    return Endpoints(database, open_backends("memory://", fresh=True), PaidAtOnce(), parse_defects("cache_off"))


@pytest.fixture(scope="module")
def shopper(shop: Endpoints) -> str:
    """Somebody who has logged in and has :data:`IN_CART` products in the cart, as the header tells the shop."""
    authorization = f"Bearer {told(shop.log_in(LogIn(user='somebody')))['token']}"
    fill_cart(shop, authorization)
    return authorization


def fill_cart(shop: Endpoints, authorization: str) -> None:
    for product in range(1, IN_CART + 1):
        shop.add_to_cart(AddToCart(product_id=product, quantity=2), authorization)


def told(response: Response) -> Any:
    """What an answer says."""
    return json.loads(bytes(response.body))


def test_serialize_cart(benchmark: BenchmarkFixture, shop: Endpoints, shopper: str) -> None:
    cart = told(shop.show_cart(shopper))
    assert json.loads(benchmark(render, cart)) == cart


def test_serialize_page(benchmark: BenchmarkFixture, shop: Endpoints) -> None:
    page = told(shop.list_products(1, 100))
    assert json.loads(benchmark(render, page)) == page


def test_read_search_words(benchmark: BenchmarkFixture) -> None:
    assert benchmark(words_of, "Swift  BAMBOO lamp, swift!") == ["swift", "bamboo", "lamp"]


def test_list_products(benchmark: BenchmarkFixture, shop: Endpoints) -> None:
    assert len(told(benchmark(shop.list_products, 1, 20))["items"]) == 20


def test_list_products_uncached(benchmark: BenchmarkFixture, shop_without_cache: Endpoints) -> None:
    assert len(told(benchmark(shop_without_cache.list_products, 1, 20))["items"]) == 20


def test_search(benchmark: BenchmarkFixture, shop: Endpoints) -> None:
    assert told(benchmark(shop.search, "bamboo la"))["total"] > 0


def test_search_uncached(benchmark: BenchmarkFixture, shop_without_cache: Endpoints) -> None:
    assert told(benchmark(shop_without_cache.search, "bamboo la"))["total"] > 0


def test_show_cart(benchmark: BenchmarkFixture, shop: Endpoints, shopper: str) -> None:
    assert len(told(benchmark(shop.show_cart, shopper))["items"]) == IN_CART


def test_read_ledger(benchmark: BenchmarkFixture, database: Database) -> None:
    assert benchmark.pedantic(read_ledger, (database,), rounds=30, warmup_rounds=2)["consistent"]


def test_check_out(benchmark: BenchmarkFixture, shop: Endpoints) -> None:
    """A transaction for each call, so the cart is filled anew before each; last, for it adds orders."""

    def with_full_cart() -> tuple[tuple[str], dict[str, Any]]:
        authorization = f"Bearer {told(shop.log_in(LogIn(user='buyer')))['token']}"
        fill_cart(shop, authorization)
        return (authorization,), {}

    receipt = benchmark.pedantic(shop.check_out, setup=with_full_cart, rounds=200, warmup_rounds=5)
    assert told(receipt)["status"] == "paid"

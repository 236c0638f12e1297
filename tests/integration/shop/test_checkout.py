"""Selling out is a response, never an oversell; an order is paid and written, or nothing happened."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from functools import partial

import pytest

from harness.shop.database import Database
from harness.shop.seed import read_sale, seed
from harness.shop.tokens import Tokens
from tests.integration.shop.buyer import Buyer, at_once, get, metric
from tests.integration.shop.vendor import held_vendor
from tests.support.postgresql import PostgreSQL
from tests.support.shop_process import start_shop

SCARCE = {"SHOP_PRODUCTS": "3", "SHOP_STOCK": "20"}


def buy_out(urls: list[str], seed: int) -> Counter[int]:
    """A buyer buys one to three of the three products at a time, in any order, a while on after the first 409."""
    chance = random.Random(seed)
    responses: Counter[int] = Counter()
    with Buyer(chance.choice(urls), f"buyer {seed}") as buyer:
        for _ in range(10):
            products = chance.sample([1, 2, 3], chance.randint(1, 3))
            response = buyer.buy(*products, quantity=chance.randint(1, 2))
            responses[response.status_code] += 1
            if response.status_code == 409:
                assert response.json() == {"error": "sold_out", "product_id": response.json()["product_id"]}
    return responses


def buy_the_rest(url: str) -> int:
    """Buys unit by unit until nothing is left, and gives how many orders that took."""
    bought = 0
    with Buyer(url, "last") as buyer:
        for product_id in (1, 2, 3):
            buyer.add(product_id)
            for _ in range(100):
                status = buyer.check_out().status_code
                if status == 409:
                    break
                if status == 201:
                    bought += 1
                    buyer.add(product_id)
            else:
                pytest.fail(f"product {product_id} never sells out")
    return bought


@pytest.mark.slow
def test_many_buyers_sell_the_shop_out_and_not_one_unit_more(database_url: str) -> None:
    with start_shop({**SCARCE, "SHOP_DATABASE_URL": database_url, "PAYMENT_FAILURE_RATE": "0.1"}) as shop:
        responses = sum(at_once([partial(buy_out, [shop.url], seed) for seed in range(12)]), Counter())
        rest = buy_the_rest(shop.url)
        books = get(shop.url, "/ledger")

    assert set(responses) == {201, 402, 409}, responses
    assert books == {
        "initial": 60,
        "left": 0,
        "sold": 60,
        "orders": responses[201] + rest,
        "oversold_products": [],
        "consistent": True,
    }


@pytest.mark.slow
def test_several_shops_share_stock_sessions_and_carts(postgresql: PostgreSQL, redis_url: str) -> None:
    env = {**SCARCE, "SHOP_DATABASE_URL": postgresql.new_database(), "SHOP_CACHE_URL": redis_url}
    with start_shop(env) as first, start_shop({**env, "SHOP_SEED": "keep"}) as second:
        with Buyer(first.url) as here, Buyer(second.url, token=here.token) as there:
            here.add(1, 2)
            assert there.add(1, 1)["items"][0]["quantity"] == 3
            order = here.check_out().json()["order_id"]
            assert there.http.get("/cart").json()["items"] == []
            assert there.http.get(f"/orders/{order}").json()["items"][0]["quantity"] == 3
            assert get(second.url, "/products/1")["stock"] == 17
        urls = [first.url, second.url]
        responses = sum(at_once([partial(buy_out, urls, seed) for seed in range(10)]), Counter())
        rest = buy_the_rest(second.url)
        books = get(second.url, "/ledger")
        assert metric(first.url, "shop_cache_hits_total") > 0

    assert set(responses) == {201, 409}, responses
    assert books["consistent"]
    assert (books["left"], books["sold"], books["orders"]) == (0, 60, responses[201] + rest + 1)


@pytest.mark.slow
def test_a_fresh_start_forgets_what_an_earlier_shop_left(postgresql: PostgreSQL, redis_url: str) -> None:
    env = {**SCARCE, "SHOP_DATABASE_URL": postgresql.new_database(), "SHOP_CACHE_URL": redis_url}
    with closing(Database.open(env["SHOP_DATABASE_URL"])) as database:
        seed(database, products=5, stock=1, seed=1)
        token = Tokens(read_sale(database).secret).issue("ann")

    with start_shop(env) as shop, Buyer(shop.url, token=token) as buyer:
        assert buyer.http.get("/cart").status_code == 401
        assert get(shop.url, "/ledger")["left"] == 60


@pytest.fixture(scope="module")
def shop() -> Iterator[str]:
    with start_shop({"SHOP_PRODUCTS": "10", "SHOP_STOCK": "20"}) as running:
        yield running.url


def test_what_is_sold_out_leaves_the_cart_and_the_rest_can_be_bought(shop: str) -> None:
    with Buyer(shop) as buyer:
        buyer.add(1, 20)
        response = buyer.buy(2, quantity=21)
        assert (response.status_code, response.json()) == (409, {"error": "sold_out", "product_id": 2})

        lines = buyer.http.get("/cart").json()["items"]
        assert [(line["product_id"], line["quantity"]) for line in lines] == [(1, 20)]
        assert buyer.check_out().status_code == 201
        assert get(shop, "/products/1")["stock"] == 0
        assert buyer.buy(1).status_code == 409


def test_of_two_checkouts_of_one_cart_only_one_buys_it(shop: str) -> None:
    with Buyer(shop) as buyer, Buyer(shop, token=buyer.token) as twin:
        for _ in range(5):
            buyer.add(3, 1)
            statuses = at_once([lambda: buyer.check_out().status_code, lambda: twin.check_out().status_code])
            assert sorted(statuses) == [201, 400]
    assert get(shop, "/products/3")["stock"] == 15


@pytest.mark.slow
def test_without_an_approval_of_the_vendor_there_is_no_payment() -> None:
    with (
        held_vendor() as vendor,
        start_shop({**SCARCE, "SHOP_PAYMENT_URL": vendor.url}) as shop,
        Buyer(shop.url) as buyer,
    ):
        never = buyer.buy(1, 2, quantity=20)
        vendor.release.set()
        vendor.status = 500
        broken = buyer.check_out()
        vendor.status = 402
        declined = buyer.check_out()
        assert len(buyer.http.get("/cart").json()["items"]) == 2
        books = get(shop.url, "/ledger")
        assert (books["left"], books["sold"], books["orders"], books["consistent"]) == (60, 0, 0, True)

        vendor.status = 200
        assert buyer.check_out().status_code == 201
        assert get(shop.url, "/ledger")["sold"] == 40

    assert [(one.status_code, one.json()["error"]) for one in (never, broken, declined)] == [
        *[(503, "payment_unavailable")] * 2,
        (402, "payment_declined"),
    ]


@pytest.mark.slow
def test_others_can_read_while_a_checkout_waits_for_the_vendor(database_url: str) -> None:
    env = {"SHOP_DATABASE_URL": database_url}
    with held_vendor() as vendor, start_shop({**env, "SHOP_PAYMENT_URL": vendor.url}) as shop:

        def read_meanwhile() -> int:
            assert vendor.charged.wait(10)
            try:
                return int(get(shop.url, "/ledger")["left"])
            finally:
                vendor.release.set()

        with Buyer(shop.url) as buyer:
            buyer.add(1)
            status, left = at_once([lambda: buyer.check_out().status_code, read_meanwhile])

        assert (status, left) == (201, 3000 * 100_000)

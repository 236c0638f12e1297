"""A shop that is killed while it sells: after it has started again, no order is lost, doubled or half done."""

from __future__ import annotations

import random
import signal
import threading
import time
import uuid
from functools import partial
from pathlib import Path

import httpx
import pytest

from tests.integration.shop.buyer import Buyer, at_once, get, settled_payments
from tests.support.children import stop
from tests.support.shop_process import RunningShop, start_shop

BUYERS = 8
KILLS = 2


class Street:
    """Where the shop is at the moment."""

    def __init__(self) -> None:
        self.url = ""
        self.closed = threading.Event()

    def enter(self, shop: RunningShop) -> None:
        self.url = shop.url


def buy_until_closed(street: Street, number: int) -> list[int]:
    """Buys one unit after another, tries again under the same key whatever happens; the ids of confirmed orders."""
    chance, confirmed = random.Random(number), []
    with Buyer(street.url, f"buyer {number}") as buyer:
        while not street.closed.is_set():
            key = uuid.uuid4().hex
            while True:
                try:
                    buyer.http.base_url = street.url
                    response = buyer.check_out(key)
                    if response.status_code == 400:  # a cart may be lost, or was not filled yet
                        buyer.add(chance.randint(1, 5))
                    elif response.status_code == 201:
                        confirmed.append(response.json()["order_id"])
                        break
                    else:
                        time.sleep(0.05)
                except httpx.TransportError:
                    time.sleep(0.05)
    return confirmed


@pytest.mark.slow
def test_a_shop_that_is_killed_loses_no_order_and_charges_none_twice(database_url: str, tmp_path: Path) -> None:
    env = {
        **{"SHOP_DATABASE_URL": database_url, "SHOP_DATA_DIR": str(tmp_path / "data"), "SHOP_SALE": "this one"},
        **{"SHOP_PRODUCTS": "5", "SHOP_STOCK": "100000", "PAYMENT_LATENCY_MS": "150"},
    }
    street = Street()
    confirmed: list[list[int]] = []
    with start_shop(env) as shop:
        street.enter(shop)
        buying = threading.Thread(
            target=lambda: confirmed.extend(at_once([partial(buy_until_closed, street, n) for n in range(BUYERS)]))
        )
        buying.start()
        try:
            time.sleep(1)
            stop(shop.process, signal.SIGKILL)
            for kill in range(KILLS):
                with start_shop(env) as shop:
                    street.enter(shop)
                    time.sleep(1)
                    if kill < KILLS - 1:
                        stop(shop.process, signal.SIGKILL)
                        continue
                    street.closed.set()
                    buying.join(60)
                    books, payments = get(shop.url, "/ledger"), settled_payments(shop.url)
        finally:
            street.closed.set()

    ids = [order for of_one in confirmed for order in of_one]
    assert len(ids) == len(set(ids)) > BUYERS
    assert books["consistent"]
    assert payments["balanced"], payments
    assert payments["paid"] == len(ids)  # each buyer asked until the order was confirmed


@pytest.mark.slow
@pytest.mark.parametrize(("sale", "left"), [("the same", 99), ("another", 100)])
def test_a_sale_continues_and_another_starts_empty(sale: str, left: int, tmp_path: Path) -> None:
    env = {"SHOP_DATA_DIR": str(tmp_path), "SHOP_PRODUCTS": "1", "SHOP_STOCK": "100", "SHOP_SALE": "the same"}
    with start_shop(env) as shop, Buyer(shop.url) as buyer:
        assert buyer.buy(1).status_code == 201
        token = buyer.token
    with start_shop({**env, "SHOP_SALE": sale}) as shop, Buyer(shop.url, token=token) as buyer:
        assert get(shop.url, "/ledger")["left"] == left
        assert get(shop.url, "/payments") == {
            **{wrong: [] for wrong in ("charged_twice", "not_charged", "not_refunded", "lost")},
            **{"paid": 100 - left, "unsettled": 0, "balanced": True},
        }
        assert buyer.http.get("/cart").status_code == (200 if left == 99 else 401)

"""A vendor that hangs, fails or responds too late: buyers soon get an error, nobody else notices or pays twice."""

from __future__ import annotations

import signal
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import httpx
import psutil
import pytest

from tests.integration.shop.buyer import Buyer, at_once, get, settled_payments
from tests.integration.shop.vendor import held_vendor
from tests.support.children import wait_until
from tests.support.faults import suspend
from tests.support.shop_process import RunningShop, start_shop

STUCK_BUYERS = 50
"""More than the shop has threads."""


def the_vendor(shop: RunningShop) -> psutil.Process:
    (vendor,) = psutil.Process(shop.pid).children()
    return vendor


def buy_one(url: str, number: int) -> int:
    with Buyer(url, f"buyer {number}") as buyer:
        return buyer.buy(number).status_code


@pytest.mark.slow
@pytest.mark.parametrize("defect", ["", "no_timeout"])
def test_a_vendor_that_hangs_keeps_no_thread_from_those_who_read(defect: str) -> None:
    with held_vendor() as vendor, start_shop({"SHOP_PAYMENT_URL": vendor.url, "SHOP_DEFECTS": defect}) as shop:
        with Buyer(shop.url) as buyer:
            tasks = [partial(buy_one, shop.url, number) for number in range(1, STUCK_BUYERS + 1)]
            buying = threading.Thread(target=at_once, args=(tasks,))
            buying.start()
            assert vendor.charged.wait(10)
            time.sleep(3)  # both attempts, and the pause between them
            try:
                reads = buyer.http.get("/products/1", timeout=1 if defect else 5).status_code
            except httpx.ReadTimeout:
                reads = None
            vendor.release.set()
            buying.join()

        assert reads == (None if defect else 200)


@pytest.mark.slow
def test_after_some_failures_the_vendor_is_left_alone_until_it_is_back() -> None:
    with held_vendor() as vendor, start_shop({"SHOP_PAYMENT_URL": vendor.url}) as shop:
        assert set(at_once([partial(buy_one, shop.url, number) for number in range(1, 9)])) == {503}
        with Buyer(shop.url) as buyer:
            buyer.add(1)

            def refused_at_once() -> httpx.Response | None:
                """Without asking the vendor, which from time to time it does to see whether it is back."""
                asked = vendor.posted.count("/charge")
                response = buyer.check_out()
                return response if vendor.posted.count("/charge") == asked else None

            refused = wait_until(refused_at_once)
            assert refused is not None
            vendor.release.set()
            wait_until(lambda: buyer.check_out().status_code == 201, what="a sale")
        books = get(shop.url, "/ledger")

    assert (refused.status_code, refused.json()) == (503, {"error": "payment_unavailable"})
    assert int(refused.headers["Retry-After"]) > 0
    assert (books["orders"], books["consistent"]) == (1, True)


def resume_at_second_attempt(vendor: psutil.Process, shop: RunningShop) -> None:
    """The shop sends each attempt on a connection of its own."""
    (address,) = [at.laddr for at in vendor.net_connections() if at.status == psutil.CONN_LISTEN]
    attempts: set[int] = set()

    def is_second() -> bool:
        attempts.update(at.laddr.port for at in psutil.Process(shop.pid).net_connections() if at.raddr == address)
        return len(attempts) >= 2

    try:
        wait_until(is_second, what="the second attempt")
    finally:
        vendor.resume()


@pytest.mark.slow
@pytest.mark.parametrize("defect", ["", "no_idempotency"])
def test_a_charge_that_is_sent_again_is_made_once(defect: str) -> None:
    with start_shop({"SHOP_DEFECTS": defect}) as shop, Buyer(shop.url) as buyer:
        buyer.add(1)
        vendor = the_vendor(shop)
        suspend(vendor)  # it handles afterwards what it was sent meanwhile
        with ThreadPoolExecutor(1) as beside:
            resuming = beside.submit(resume_at_second_attempt, vendor, shop)
            bought = buyer.check_out()
            resuming.result()

        assert bought.status_code == 201
        order = bought.json()["order_id"]
        payments = wait_until(lambda: get(shop.url, "/payments"))
        assert payments["charged_twice"] == ([order] if defect else [])
        assert payments["balanced"] == (not defect)


@pytest.mark.slow
@pytest.mark.parametrize("defect", ["", "no_idempotency"])
def test_what_is_charged_too_late_is_not_bought_and_the_vendor_forgets_it(defect: str) -> None:
    env = {"PAYMENT_LATENCY_MS": "1300", "SHOP_DEFECTS": defect}
    with start_shop(env) as shop, Buyer(shop.url) as buyer:
        response = buyer.buy(1, quantity=3)

        assert (response.status_code, response.json()) == (503, {"error": "payment_unavailable"})
        payments = settled_payments(shop.url)
        assert (payments["paid"], payments["balanced"]) == (0, not defect)
        assert payments["not_refunded"] == ([1] if defect else [])
        books = get(shop.url, "/ledger")
        assert (books["orders"], books["sold"], books["consistent"]) == (0, 0, True)
        assert buyer.http.get("/cart").json()["items"][0]["quantity"] == 3
        assert buyer.http.get("/orders/1").json()["status"] == "voided"


@pytest.mark.slow
def test_a_buyer_who_comes_back_with_the_same_key_pays_once() -> None:
    with held_vendor() as vendor, start_shop({"SHOP_PAYMENT_URL": vendor.url}) as shop, Buyer(shop.url) as buyer:
        buyer.add(1)
        assert buyer.check_out("mine").status_code == 503
        vendor.release.set()
        first, second = buyer.check_out("mine"), buyer.check_out("mine")
        buyer.add(2)
        third = buyer.check_out("mine")
        other = buyer.check_out("another")

        assert [response.status_code for response in (first, second, third, other)] == [201] * 4
        assert first.json() == second.json() == third.json() != other.json()
        assert get(shop.url, "/ledger")["orders"] == 2
        with Buyer(shop.url, "bob") as bob:
            assert bob.check_out("mine").json() == {"error": "empty_cart"}
        assert buyer.check_out("x" * 256).status_code == 422


def test_of_many_requests_with_one_key_one_buys() -> None:
    with start_shop({"PAYMENT_LATENCY_MS": "50"}) as shop, Buyer(shop.url) as buyer:
        for key in ("a", "b", "c"):
            buyer.add(1)
            responses = at_once([partial(buyer.check_out, key)] * 8)
            bought = {response.json()["order_id"] for response in responses if response.status_code == 201}
            others = {response.json()["error"] for response in responses if response.status_code != 201}
            assert len(bought) == 1
            assert others <= {"checkout_under_way"}
        assert get(shop.url, "/ledger")["sold"] == 3


@pytest.mark.slow
def test_a_vendor_that_is_killed_comes_back_with_its_books() -> None:
    with start_shop() as shop, Buyer(shop.url) as buyer:
        assert buyer.buy(1).status_code == 201
        killed = the_vendor(shop)
        killed.send_signal(signal.SIGKILL)
        killed.wait(10)
        buyer.add(2)
        wait_until(lambda: buyer.check_out().status_code == 201, what="a sale")

        payments = settled_payments(shop.url)
        assert (payments["paid"], payments["balanced"]) == (2, True)

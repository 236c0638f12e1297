"""A flash sale: thousands look, some put the popular products into their carts, few buy.

    harness run scenarios/flash_sale.py

Users log in once. Which product they want follows Zipf's law: the tenth most popular is asked for a tenth as often as
the first, as in real shops, so caches and hot rows are met as they would be. Every response is checked: a wrong total
is a failure, although it is a 200. "Sold out" (409) is an expected response. A checkout that failed is sent again with
the same Idempotency-Key, and a confirmed order is looked at again later. After the run the shop's ledger must balance,
and the payment vendor must have charged each order once.
"""

from __future__ import annotations

import itertools
import random
import time
import uuid
from collections.abc import Iterator
from typing import Any

from locust import between, task

import harness
from harness import HttpUser, gate, ramp, steady, stress

PRODUCTS = 3000
"""The shop numbers its products from 1; number 1 is the most popular."""
POPULARITY = list(itertools.accumulate(1 / rank for rank in range(1, PRODUCTS + 1)))
"""Cumulative weights of Zipf's law with exponent 1."""
ATTEMPTS = 3
"""How often a shopper sends a checkout."""
SETTLED_WITHIN_S = 30
"""What the shop could not settle while it was disturbed, it settles within this time."""
WORDS = ("lamp", "chair", "steel", "green", "classic", "mini", "kettle", "oak")


def popular_product() -> int:
    """A product's number, popular ones more often."""
    return random.choices(range(1, PRODUCTS + 1), cum_weights=POPULARITY)[0]


class Shopper(HttpUser):
    """Browses most of the time, fills a cart now and then, and checks out seldom."""

    wait_time = between(0.5, 1.5)

    def on_start(self) -> None:
        login = self.client.post("/login", json={"user": f"shopper-{random.getrandbits(48):x}"}).json()
        self.headers = {"Authorization": f"Bearer {login['token']}"}
        self.last_order: int | None = None

    @task(80)
    def browse(self) -> None:
        """The list, a product, or a search."""
        choice = random.random()
        if choice < 0.3:
            self.client.get(f"/products?page={random.randint(1, 20)}", name="/products")
        elif choice < 0.85:
            wanted = popular_product()
            with self.client.get(f"/products/{wanted}", name="/products/{id}", catch_response=True) as response:
                if response.status_code == 200 and response.json()["id"] != wanted:
                    response.failure("another product than asked for")
        else:
            self.client.get(f"/search?q={random.choice(WORDS)}", name="/search")

    @task(15)
    def add_to_cart(self) -> None:
        """One or two of a popular product."""
        self._put_into_cart()

    @task(5)
    def checkout(self) -> None:
        """Buy something: the price on the order must be the cart's."""
        self._look_at_last_order()
        cart = self._put_into_cart()
        if cart is None:
            return
        headers = self.headers | {"Idempotency-Key": uuid.uuid4().hex}
        for attempt in range(ATTEMPTS):
            if attempt:
                time.sleep(1)
            with self.client.post("/checkout", headers=headers, catch_response=True) as response:
                if response.status_code == 409:
                    response.success()
                elif response.status_code == 201:
                    order = response.json()
                    self.last_order = order["order_id"]
                    if order["total_cents"] != cart["total_cents"]:
                        response.failure("the order's total is not the cart's")
            if response.status_code and response.status_code < 500:
                return

    def _look_at_last_order(self) -> None:
        """What was confirmed is still there."""
        if self.last_order is None:
            return
        with self.client.get(
            f"/orders/{self.last_order}", name="/orders/{order_id}", headers=self.headers, catch_response=True
        ) as response:
            if response.status_code in (200, 404):  # else the shop cannot tell now
                self.last_order = None
                harness.check(
                    "confirmed order is kept", response.status_code == 200 and response.json()["status"] == "paid"
                )

    def _put_into_cart(self) -> dict[str, Any] | None:
        """The cart as the shop gives it back; None where that failed."""
        chosen = {"product_id": popular_product(), "quantity": random.randint(1, 2)}
        with self.client.post("/cart", json=chosen, headers=self.headers, catch_response=True) as response:
            if response.status_code != 200:
                return None
            cart: dict[str, Any] = response.json()
            if cart["total_cents"] != sum(item["price_cents"] * item["quantity"] for item in cart["items"]):
                response.failure("the cart's total is not the sum of its items")
            return cart


target = "shop"
phases = [
    ramp(users=100, over="10s"),
    steady(users=100, hold="30s"),
    stress(users=(200, 800, 200), every="5s", until="p95 > 250ms or error_rate > 1%"),
]
gates = [
    gate("p95 < 50ms", phase="steady"),
    gate("p95 < 100ms", phase="steady", endpoint="POST /checkout"),
    gate("error_rate < 1%", phase="steady"),
    # 100 users who think for a second each start 100 iterations a second where responses take no time.
    gate("throughput >= 90/s", phase="steady"),
]


def verify(target: Any) -> Iterator[tuple[str, int] | tuple[str, bool, str]]:
    """Nothing is sold twice, no order gets lost and each is charged once, whatever the load and the faults.

    The vendor keeps books of its own, so they also show an order that the shop has lost.
    """
    ledger = target.get("/ledger")
    units = f"{ledger['initial']:,} in the beginning, {ledger['left']:,} left, {ledger['sold']:,} sold"
    yield "no oversell", ledger["consistent"], units
    payments = settled_payments(target)
    lost, twice = payments["lost"], payments["charged_twice"]
    yield "no order lost", not lost, f"{len(lost)} charged orders are not in the ledger {lost[:5] or ''}"
    yield "no order charged twice", not twice, f"{len(twice)} orders are charged twice {twice[:5] or ''}"
    open_yet = {kind: payments[kind] for kind in ("unsettled", "not_charged", "not_refunded") if payments[kind]}
    found = f"{payments['paid']:,} orders are paid for {open_yet or ''}"
    yield "charges are those of paid orders", payments["balanced"] and not payments["unsettled"], found
    yield "lost_writes", len(lost)


def settled_payments(target: Any) -> Any:
    """The vendor's charges compared with the orders, once the shop has settled what it had to leave open."""
    give_up_at = time.monotonic() + SETTLED_WITHIN_S
    while (payments := target.get("/payments"))["unsettled"] and time.monotonic() < give_up_at:
        time.sleep(0.5)
    return payments

"""The shop counts every request that it began to handle, exactly."""

from __future__ import annotations

import random
import socket
from collections import Counter
from functools import partial
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.integration.shop.buyer import Buyer, at_once, get
from tests.integration.shop.vendor import held_vendor
from tests.support.children import wait_until
from tests.support.shop_process import start_shop

USERS = 8
REQUESTS = 25


def send_and_hang_up(url: str, method: str, path: str, headers: str = "") -> None:
    """Sends a whole request and closes the connection without waiting for a byte of the response."""
    at = urlsplit(url)
    assert at.port is not None
    with socket.create_connection((str(at.hostname), at.port)) as connection:
        connection.sendall(f"{method} {path} HTTP/1.1\r\nHost: shop\r\n{headers}Content-Length: 0\r\n\r\n".encode())


def counted(url: str) -> Counter[tuple[str, str]]:
    served = get(url, "/served")
    assert served["total"] == sum(entry["count"] for entry in served["requests"])
    counts: Counter[tuple[str, str]] = Counter()
    for entry in served["requests"]:
        counts[entry["method"], entry["route"]] += entry["count"]
    return counts


def statuses(url: str, route: str) -> dict[int, int]:
    entries: list[dict[str, Any]] = get(url, "/served")["requests"]
    return {entry["status"]: entry["count"] for entry in entries if entry["route"] == route}


@pytest.mark.slow
def test_counts_are_exact_with_many_clients_of_which_some_hang_up() -> None:
    def user(seed: int) -> Counter[tuple[str, str]]:
        chance = random.Random(seed)
        sent = Counter({("POST", "/login"): 1})
        with Buyer(shop.url) as buyer:
            for _ in range(REQUESTS):
                kind = chance.randrange(5)
                if kind == 0:
                    send_and_hang_up(shop.url, "GET", "/products?page=2")
                    sent["GET", "/products"] += 1
                elif kind == 1:
                    buyer.http.get(f"/products/{chance.randrange(1, 4000)}")
                    sent["GET", "/products/{product_id}"] += 1
                elif kind == 2:
                    buyer.buy(chance.randrange(1, 50))
                    sent["POST", "/cart"] += 1
                    sent["POST", "/checkout"] += 1
                elif kind == 3:
                    buyer.http.get("/no/such/path")
                    sent["GET", "unmatched"] += 1
                else:
                    for watching in ("/health", "/metrics", "/served", "/ledger"):
                        buyer.http.get(watching)
        return sent

    with start_shop() as shop:
        sent = sum(at_once([partial(user, seed) for seed in range(USERS)]), Counter())
        wait_until(lambda: counted(shop.url).total() >= sent.total(), what="the last request's arrival")

        assert counted(shop.url) == sent
        wait_until(lambda: 0 not in statuses(shop.url, "/products"), what="the last response")
        assert statuses(shop.url, "/products/{product_id}").keys() == {200, 404}


@pytest.mark.slow
def test_a_request_counts_while_it_is_under_way_and_when_its_client_is_gone() -> None:
    with held_vendor() as vendor, start_shop({"SHOP_PAYMENT_URL": vendor.url}) as shop, Buyer(shop.url) as buyer:
        buyer.add(1)
        send_and_hang_up(shop.url, "POST", "/checkout", f"Authorization: Bearer {buyer.token}\r\n")
        assert vendor.charged.wait(10)

        assert statuses(shop.url, "/checkout") == {0: 1}

        vendor.release.set()
        wait_until(lambda: statuses(shop.url, "/checkout") == {201: 1}, what="the response nobody waits for")
        assert get(shop.url, "/ledger")["orders"] == 1

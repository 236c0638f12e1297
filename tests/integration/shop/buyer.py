"""A buyer: one session at a shop, over HTTP; and many of them at once.

``verify=False``: to read the certificates of all the world takes longer than most of what is tested.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from types import TracebackType
from typing import Any, TypeVar

import httpx

from tests.support.children import wait_until

Result = TypeVar("Result")


class Buyer:
    """Logged in from the start."""

    def __init__(self, url: str, user: str = "ann", token: str | None = None) -> None:
        self.http = httpx.Client(base_url=url, timeout=30, trust_env=False, verify=False)
        self.token = token or self.http.post("/login", json={"user": user}).json()["token"]
        self.http.headers["Authorization"] = f"Bearer {self.token}"

    def add(self, product_id: int, quantity: int = 1) -> Any:
        """Puts units into the cart, which is given back."""
        response = self.http.post("/cart", json={"product_id": product_id, "quantity": quantity})
        assert response.status_code == 200, response.text
        return response.json()

    def check_out(self, key: str | None = None) -> httpx.Response:
        """The response, whatever its status; ``key`` is the Idempotency-Key."""
        return self.http.post("/checkout", headers={} if key is None else {"Idempotency-Key": key})

    def buy(self, *products: int, quantity: int = 1) -> httpx.Response:
        """Puts ``quantity`` of each into the cart and checks out."""
        for product_id in products:
            self.add(product_id, quantity)
        return self.check_out()

    def __enter__(self) -> Buyer:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.http.close()


def get(url: str, path: str) -> Any:
    """The JSON of a GET, which must be a 200."""
    response = httpx.get(url + path, timeout=30, trust_env=False, verify=False)
    assert response.status_code == 200, response.text
    return response.json()


def settled_payments(url: str) -> Any:
    """What /payments says once nothing is unsettled."""

    def settled() -> Any:
        found = get(url, "/payments")
        return None if found["unsettled"] else found

    return wait_until(settled, what="the last order's settlement")


def metric(url: str, name: str) -> float:
    """The value of a metric without labels."""
    text = httpx.get(f"{url}/metrics", trust_env=False, verify=False).text
    return next(float(line.split()[1]) for line in text.splitlines() if line.startswith(f"{name} "))


def at_once(tasks: Iterable[Callable[[], Result]]) -> list[Result]:
    """Runs every task in a thread of its own, all at the same time."""
    tasks = list(tasks)
    with ThreadPoolExecutor(len(tasks)) as pool:
        return [future.result() for future in [pool.submit(task) for task in tasks]]

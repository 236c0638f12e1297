"""A JSON API at a steady arrival rate: requests come as they would from many clients, however fast the responses are.

    harness run scenarios/json_api.py

The open model: 100 iterations are started every second, whether the target keeps up or not, and response time counts
from when each should have been sent. ``rest`` parses the response into ``js`` and turns a failed ``assert`` into a
failed request.
"""

from __future__ import annotations

import random

from locust import task

from harness import HttpUser, gate, ramp, steady


class Client(HttpUser):
    """Pages through the catalogue and looks products up."""

    @task(3)
    def product(self) -> None:
        wanted = random.randint(1, 3000)
        with self.rest("GET", f"/products/{wanted}", name="/products/{id}") as response:
            assert response.js["id"] == wanted, "another product than asked for,"
            assert response.js["price_cents"] > 0, "a product without a price,"

    @task(1)
    def page(self) -> None:
        with self.rest("GET", f"/products?page={random.randint(1, 20)}&size=10", name="/products") as response:
            assert len(response.js["items"]) == 10, "a page that is not full,"


target = "shop"
phases = [
    ramp(rate=100, over="5s", max_users=200),
    steady(rate=100, hold="20s", max_users=200),
]
gates = [
    gate("p95 < 100ms", phase="steady"),
    gate("p99 < 250ms", phase="steady", endpoint="GET /products/{id}"),
    gate("throughput >= 95/s", phase="steady"),
    gate("error_rate < 1%", phase="steady"),
]

"""The load of ``benchmarks/verdicts.py``: users who search half of the time."""

from __future__ import annotations

from locust import between, task

from harness import HttpUser


class Customer(HttpUser):
    wait_time = between(0.01, 0.03)

    @task(3)
    def search(self) -> None:
        self.client.get("/search")

    @task(2)
    def item(self) -> None:
        self.client.get("/item")

    @task(1)
    def order(self) -> None:
        self.client.post("/order")

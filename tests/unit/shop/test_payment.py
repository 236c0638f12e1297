"""The payment vendor declines the share that it is told to, and the same charges each time."""

from __future__ import annotations

from pathlib import Path

import pytest
from starlette.testclient import TestClient

from harness.shop.charges import Charges
from harness.shop.payment import create_vendor
from harness.shop.settings import PaymentSettings


def charges(rate: str) -> list[int]:
    settings = PaymentSettings.from_environment({"PAYMENT_FAILURE_RATE": rate, "PAYMENT_LATENCY_MS": "0"})
    vendor = TestClient(create_vendor(settings))
    return [vendor.post("/charge", json={}).status_code for _ in range(60)]


@pytest.mark.parametrize(("rate", "least", "most"), [("0", 0, 0), ("0.5", 20, 40), ("1", 60, 60)])
def test_it_declines_its_share_and_the_same_charges_each_time(rate: str, least: int, most: int) -> None:
    responses = charges(rate)
    assert least <= responses.count(402) <= most
    assert responses.count(200) == 60 - responses.count(402)
    assert charges(rate) == responses


def test_a_charge_is_made_once_for_each_key_and_can_be_voided(tmp_path: Path) -> None:
    def vendor() -> TestClient:
        return TestClient(create_vendor(PaymentSettings(latency_ms=0), Charges(str(tmp_path / "books.db"))))

    def statuses(path: str, *keys: str) -> list[int]:
        body = {"sale": "one", "order_id": 7, "amount_cents": 5}
        return [vendor().post(path, json=body, headers={"Idempotency-Key": key}).status_code for key in keys]

    assert statuses("/charge", "a", "a", "b") == [200, 200, 200]
    assert vendor().get("/charges?sale=one").json() == {"charges": [[7, 2]]}
    assert vendor().get("/charges?sale=two").json() == {"charges": []}
    assert statuses("/void", "a", "c") == [200, 200]
    assert statuses("/charge", "a", "b", "c") == [409, 200, 409]
    assert vendor().get("/charges?sale=one").json() == {"charges": [[7, 1]]}
    assert vendor().post("/void").status_code == 400

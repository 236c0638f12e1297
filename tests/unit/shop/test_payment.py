"""The payment vendor declines the share that it is told to, and the same charges each time."""

from __future__ import annotations

import pytest
from starlette.testclient import TestClient

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

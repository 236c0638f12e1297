"""The shop's client for the payment vendor: one call over kept connections, with a timeout."""

from __future__ import annotations

import httpx

from harness.shop.errors import PaymentDeclined, PaymentUnavailable

TIMEOUT_S = 2.0
"""A checkout holds locks while it waits for the vendor, so it does not wait long."""


class PaymentClient:
    """Charges orders at the vendor under ``url``."""

    def __init__(self, url: str) -> None:
        # trust_env: a proxy of the machine's has no business between the shop and a vendor on loopback
        self._http = httpx.Client(base_url=url, timeout=TIMEOUT_S, trust_env=False)

    def charge(self, order_id: int, amount_cents: int) -> None:
        """Has the order paid; raises `PaymentDeclined` or `PaymentUnavailable` where it is not."""
        try:
            response = self._http.post("/charge", json={"order_id": order_id, "amount_cents": amount_cents})
        except httpx.HTTPError as error:
            raise PaymentUnavailable from error
        if response.status_code == PaymentDeclined.status:
            raise PaymentDeclined
        if response.status_code != 200:
            raise PaymentUnavailable

    def close(self) -> None:
        """Closes the kept connections."""
        self._http.close()

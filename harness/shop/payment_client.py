"""The shop's client for the payment vendor: one call over kept connections, with a timeout."""

from __future__ import annotations

import json

import httpcore  # httpx, which is built on it, takes 70 ms longer to import

from harness.shop.errors import PaymentDeclined, PaymentUnavailable

TIMEOUT_S = 2.0
"""A checkout holds locks while it waits for the vendor, so it does not wait long."""

_TIMEOUTS = {"timeout": dict.fromkeys(("connect", "read", "write", "pool"), TIMEOUT_S)}
_UNAVAILABLE = (httpcore.TimeoutException, httpcore.NetworkError, httpcore.ProtocolError)


class PaymentClient:
    """Charges orders at the vendor under ``url``."""

    def __init__(self, url: str) -> None:
        self._url = f"{url}/charge"
        self._http = httpcore.ConnectionPool(max_connections=100, max_keepalive_connections=20, keepalive_expiry=5)

    def charge(self, order_id: int, amount_cents: int) -> None:
        """Has the order paid; raises `PaymentDeclined` or `PaymentUnavailable` where it is not."""
        body = json.dumps({"order_id": order_id, "amount_cents": amount_cents}).encode()
        try:
            response = self._http.request("POST", self._url, content=body, extensions=_TIMEOUTS)
        except _UNAVAILABLE as error:
            raise PaymentUnavailable from error
        if response.status == PaymentDeclined.status:
            raise PaymentDeclined
        if response.status != 200:
            raise PaymentUnavailable

    def close(self) -> None:
        """Closes the kept connections."""
        self._http.close()

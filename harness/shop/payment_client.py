"""The shop's client for the payment vendor: one call over kept connections, with a timeout."""

from __future__ import annotations

import importlib.util
import json
import os
from collections.abc import Callable

import httpcore  # httpx, which is built on it, takes 70 ms longer to import

from harness.shop.errors import PaymentDeclined, PaymentUnavailable

TIMEOUT_S = 2.0
"""A checkout holds locks while it waits for the vendor, so it does not wait long."""

_MOST, _MOST_IDLE, _IDLE_S = 100, 20, 5.0
_TIMEOUTS = {"timeout": dict.fromkeys(("connect", "read", "write", "pool"), TIMEOUT_S)}
_UNAVAILABLE = (httpcore.TimeoutException, httpcore.NetworkError, httpcore.ProtocolError)


class _Connections:
    """Kept connections; ``post`` returns the status of the response."""

    def __init__(self) -> None:
        self._pool = httpcore.ConnectionPool(
            max_connections=_MOST, max_keepalive_connections=_MOST_IDLE, keepalive_expiry=_IDLE_S
        )
        self.close: Callable[[], None] = self._pool.close

    def post(self, url: str, body: bytes) -> int:
        try:
            return self._pool.request("POST", url, content=body, extensions=_TIMEOUTS).status
        except _UNAVAILABLE as error:
            raise PaymentUnavailable from error


class _TracedConnections:
    """The same with httpx, for which OpenTelemetry records spans."""

    def __init__(self) -> None:
        import httpx

        limits = httpx.Limits(max_connections=_MOST, max_keepalive_connections=_MOST_IDLE, keepalive_expiry=_IDLE_S)
        self._client = httpx.Client(timeout=TIMEOUT_S, limits=limits, trust_env=False)
        self._unavailable = httpx.TransportError
        self.close: Callable[[], None] = self._client.close

    def post(self, url: str, body: bytes) -> int:
        try:
            return self._client.post(url, content=body).status_code
        except self._unavailable as error:
            raise PaymentUnavailable from error


def _is_traced() -> bool:
    return bool(os.environ.get("OTEL_EXPORTER_OTLP_ENDPOINT")) and importlib.util.find_spec("httpx") is not None


class PaymentClient:
    """Charges orders at the vendor under ``url``."""

    def __init__(self, url: str) -> None:
        self._url = f"{url}/charge"
        self._http = _TracedConnections() if _is_traced() else _Connections()

    def charge(self, order_id: int, amount_cents: int) -> None:
        """Has the order paid; raises `PaymentDeclined` or `PaymentUnavailable` where it is not."""
        body = json.dumps({"order_id": order_id, "amount_cents": amount_cents}).encode()
        status = self._http.post(self._url, body)
        if status == PaymentDeclined.status:
            raise PaymentDeclined
        if status != 200:
            raise PaymentUnavailable

    def close(self) -> None:
        """Closes the kept connections."""
        self._http.close()

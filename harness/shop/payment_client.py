"""The shop's client for the payment vendor: with a time limit, retried under one key.

The vendor knows a charge by its ``Idempotency-Key``, so a charge whose response was lost can be sent again. After
`_FAILURES` calls in a row without a response, calls are refused at once for a while, so that they take no threads.
"""

from __future__ import annotations

import importlib.util
import json
import os
import random
import time
from collections.abc import Callable, Mapping
from urllib.parse import quote

import httpcore  # httpx, which is built on it, takes 70 ms longer to import

from harness.shop.breaker import Breaker
from harness.shop.defective import post_without_limit, without_key
from harness.shop.defects import Defects
from harness.shop.errors import PaymentDeclined, PaymentUnavailable

TIMEOUT_S = 1.0
"""How long the vendor may take to connect, and for each read of a response."""
_ATTEMPTS = 3
_RETRY_WITHIN_S = 1.5
"""A charge that has taken longer is not sent again: its buyer waits."""
_BACKOFF_S = 0.1
_FAILURES, _COOL_DOWN_S = 10, 2.0
_KEY = "Idempotency-Key"

_MOST, _MOST_IDLE, _IDLE_S = 100, 20, 5.0
_UNAVAILABLE = (httpcore.TimeoutException, httpcore.NetworkError, httpcore.ProtocolError)

Reply = tuple[int, bytes]
"""Status and body of a response."""


class _Connections:
    """Kept connections. ``request`` raises `PaymentUnavailable` if there is no response."""

    def __init__(self) -> None:
        self._pool = httpcore.ConnectionPool(
            max_connections=_MOST, max_keepalive_connections=_MOST_IDLE, keepalive_expiry=_IDLE_S
        )
        self.close: Callable[[], None] = self._pool.close

    def request(self, method: str, url: str, body: bytes, headers: Mapping[str, str], timeout_s: float | None) -> Reply:
        limits = {"timeout": dict.fromkeys(("connect", "read", "write", "pool"), timeout_s)}
        try:
            response = self._pool.request(method, url, headers=[*headers.items()], content=body, extensions=limits)
        except _UNAVAILABLE as error:
            raise PaymentUnavailable from error
        return response.status, response.content


class _TracedConnections:
    """The same with httpx, for which OpenTelemetry records spans."""

    def __init__(self) -> None:
        import httpx

        limits = httpx.Limits(max_connections=_MOST, max_keepalive_connections=_MOST_IDLE, keepalive_expiry=_IDLE_S)
        self._client = httpx.Client(limits=limits, trust_env=False)
        self._unavailable = httpx.TransportError
        self.close: Callable[[], None] = self._client.close

    def request(self, method: str, url: str, body: bytes, headers: Mapping[str, str], timeout_s: float | None) -> Reply:
        try:
            response = self._client.request(method, url, content=body, headers=dict(headers), timeout=timeout_s)
        except self._unavailable as error:
            raise PaymentUnavailable from error
        return response.status_code, response.content


def _is_traced() -> bool:
    return bool(os.environ.get("OTEL_EXPORTER_OTLP_ENDPOINT")) and importlib.util.find_spec("httpx") is not None


class PaymentClient:
    """Charges the orders of ``sale`` at the vendor under ``url``."""

    def __init__(self, url: str, sale: str = "", defects: Defects | None = None) -> None:
        self._url = url
        self._sale = sale
        self._defects = defects or Defects()
        self._http = _TracedConnections() if _is_traced() else _Connections()
        self._breaker = Breaker(_FAILURES, _COOL_DOWN_S)

    def require_available(self) -> None:
        """Raises `PaymentUnavailable` while the vendor is left alone: nothing need be begun then."""
        if self._breaker.is_open:
            raise PaymentUnavailable

    def charge(self, order_id: int, amount_cents: int, key: str) -> None:
        """Has the order paid, once for each ``key`` however often this is called.

        Raises `PaymentDeclined`, or `PaymentUnavailable` where it is not known to be paid: `void` it then.
        """
        body = json.dumps({"sale": self._sale, "order_id": order_id, "amount_cents": amount_cents}).encode()
        headers = {_KEY: key}
        if self._defects.no_idempotency:
            headers = without_key(headers)
        status = self._charge(body, headers)
        if status == PaymentDeclined.status:
            raise PaymentDeclined
        if status != 200:
            raise PaymentUnavailable

    def _charge(self, body: bytes, headers: Mapping[str, str]) -> int:
        """The status of the response, below 500."""
        url = f"{self._url}/charge"
        if self._defects.no_timeout:
            return post_without_limit(self._http.request, url, body, headers)
        give_up_at = time.monotonic() + _RETRY_WITHIN_S
        for attempt in range(1, _ATTEMPTS + 1):
            if not self._breaker.admit():
                raise PaymentUnavailable
            try:
                status, _ = self._http.request("POST", url, body, headers, TIMEOUT_S)
            except PaymentUnavailable:
                status = PaymentUnavailable.status
            if status < 500:
                self._breaker.succeeded()
                return status
            self._breaker.failed()
            if attempt < _ATTEMPTS and time.monotonic() < give_up_at:
                # All buyers that failed together must not come back together.
                time.sleep(_BACKOFF_S * attempt * random.uniform(0.5, 1.5))
            else:
                break
        raise PaymentUnavailable

    def void(self, key: str) -> None:
        """Have the charge undone, and refused if it arrives later. Raises `PaymentUnavailable`: call it again."""
        status, _ = self._http.request("POST", f"{self._url}/void", b"", {_KEY: key}, TIMEOUT_S)
        if status != 200:
            raise PaymentUnavailable

    def charges(self) -> dict[int, int]:
        """How many charges of each order the vendor has that were not voided. Raises `PaymentUnavailable`."""
        url = f"{self._url}/charges?sale={quote(self._sale, safe='')}"
        status, body = self._http.request("GET", url, b"", {}, 10 * TIMEOUT_S)
        if status != 200:
            raise PaymentUnavailable
        return dict(json.loads(body)["charges"])

    def close(self) -> None:
        """Closes the kept connections."""
        self._http.close()

"""What the shop's OpenAPI document (``GET /openapi.json``) says that its endpoints respond.

The endpoints return ready responses, which FastAPI cannot describe by itself.
"""

from __future__ import annotations

from typing import Any, NotRequired

from typing_extensions import TypedDict

from harness.shop.catalogue import Hits, Page
from harness.shop.checkout import FullOrder, OrderLine
from harness.shop.item import Item
from harness.shop.ledger import Ledger
from harness.shop.paying import Receipt
from harness.shop.reconciliation import Payments
from harness.shop.traffic import Served


class Token(TypedDict):
    """What later requests of a user have in their header ``Authorization: Bearer …``."""

    token: str


class ShownCart(TypedDict):
    """A cart with names and prices of the moment."""

    items: list[OrderLine]
    total_cents: int


class Refused(TypedDict):
    """Why a request was not served, in a word."""

    error: str
    product_id: NotRequired[int]
    """Of what is sold out."""


class Health(TypedDict):
    status: str


_UNAVAILABLE = 503
_RESPONSES: dict[tuple[str, str], tuple[int, type, tuple[int, ...]]] = {
    ("POST", "/login"): (200, Token, ()),
    ("GET", "/products"): (200, Page, ()),
    ("GET", "/products/{product_id}"): (200, Item, (404,)),
    ("GET", "/search"): (200, Hits, ()),
    ("POST", "/cart"): (200, ShownCart, (401, 404)),
    ("GET", "/cart"): (200, ShownCart, (401,)),
    ("POST", "/checkout"): (201, Receipt, (400, 401, 402, 404, 409)),
    ("GET", "/orders/{order_id}"): (200, FullOrder, (401, 404)),
    ("GET", "/ledger"): (200, Ledger, ()),
    ("GET", "/payments"): (200, Payments, ()),
    ("GET", "/health"): (200, Health, ()),
    ("GET", "/served"): (200, Served, ()),
}
"""By method and path: the status and the body of a success, and the statuses of refusals."""


def documented(method: str, path: str) -> dict[str, Any]:
    """What FastAPI is to say of an endpoint, as arguments of ``add_api_route``."""
    if (method, path) not in _RESPONSES:
        return {"include_in_schema": False}  # a page of metrics, for example
    status, model, refusals = _RESPONSES[method, path]
    refused = {code: {"model": Refused} for code in (*refusals, _UNAVAILABLE)}
    return {"status_code": status, "responses": {status: {"model": model}, **refused}}

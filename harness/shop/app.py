"""The shop's HTTP API: each endpoint calls one part of the shop and renders the result.

Endpoints that do work are plain functions, each request in its own thread. Those that only watch (/health, /metrics,
/served) run on the event loop, so that they respond even when every thread is busy.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import Annotated, Any

from fastapi import FastAPI, Header, Path, Query, Request, Response
from prometheus_client import CONTENT_TYPE_LATEST
from pydantic import BaseModel, Field
from sqlalchemy.exc import OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from harness.shop.backends import Backends
from harness.shop.cache import ReadCache
from harness.shop.catalogue import Catalogue
from harness.shop.checkout import Checkout, OrderLine
from harness.shop.database import Database
from harness.shop.defective import (
    ConnectionPerRequest,
    NullStore,
    count_stock_under_global_lock,
    remember_response,
    render_in_pure_python,
)
from harness.shop.defects import Defects
from harness.shop.documented import ShownCart, documented
from harness.shop.errors import NotFound, NotLoggedIn, Refusal, Unavailable
from harness.shop.ledger import read_ledger
from harness.shop.metrics import Metrics
from harness.shop.orders import Orders
from harness.shop.payment_client import PaymentClient
from harness.shop.reconciliation import compare_payments
from harness.shop.seed import read_sale
from harness.shop.sessions import Cart
from harness.shop.tables import CLIENT_KEY_LENGTH
from harness.shop.tokens import Tokens
from harness.shop.traffic import Traffic

_log = logging.getLogger("uvicorn.error")

MAX_ID = 2**31 - 1
Id = Annotated[int, Path(ge=1, le=MAX_ID)]
Authorization = Annotated[str | None, Header()]
IdempotencyKey = Annotated[str | None, Header(min_length=1, max_length=CLIENT_KEY_LENGTH)]


class LogIn(BaseModel):
    """Body of POST /login."""

    user: str = Field(min_length=1, max_length=100)


class AddToCart(BaseModel):
    """Body of POST /cart."""

    product_id: int = Field(ge=1, le=MAX_ID)
    quantity: int = Field(1, ge=1, le=100)


class Endpoints:
    """The endpoints, over the parts of one shop."""

    def __init__(self, database: Database, backends: Backends, payment: PaymentClient, defects: Defects) -> None:
        self._database = database
        self._payment = payment
        self._sessions = backends.sessions
        self._tokens = Tokens(read_sale(database).secret)
        self._defects = defects
        self.metrics = Metrics()
        store = NullStore() if defects.cache_off else backends.cache
        cache = ReadCache(store, self.metrics.cache_hits, self.metrics.cache_misses)
        self._catalogue = Catalogue(database, cache, defects)
        self._checkout = Checkout(database, self._catalogue, self._sessions, payment, defects)
        self.metrics.gauge("shop_db_pool_size", "Connections the pool may hold.", lambda: database.pool_size)
        self.metrics.gauge("shop_db_pool_in_use", "Connections in use.", lambda: database.pool_in_use)
        self.metrics.gauge("shop_db_pool_waiting", "Threads that wait for one.", lambda: database.pool_waiting)

    def log_in(self, body: LogIn) -> Response:
        with self._request_scope():
            return self._respond({"token": self._tokens.issue(body.user)})

    def list_products(
        self, page: Annotated[int, Query(ge=1, le=MAX_ID // 100)] = 1, size: Annotated[int, Query(ge=1, le=100)] = 20
    ) -> Response:
        with self._request_scope():
            return self._respond(self._catalogue.page(page, size))

    def show_product(self, product_id: Id) -> Response:
        with self._request_scope():
            return self._respond(self._catalogue.product(product_id))

    def search(self, q: Annotated[str, Query(max_length=100)]) -> Response:
        with self._request_scope():
            return self._respond(self._catalogue.search(q))

    def add_to_cart(self, body: AddToCart, authorization: Authorization = None) -> Response:
        with self._request_scope():
            token, _ = self._session(authorization)
            self._catalogue.product(body.product_id)
            return self._respond(self._shown(self._sessions.add_to_cart(token, body.product_id, body.quantity)))

    def show_cart(self, authorization: Authorization = None) -> Response:
        with self._request_scope():
            token, _ = self._session(authorization)
            return self._respond(self._shown(self._sessions.cart(token)))

    def check_out(self, authorization: Authorization = None, idempotency_key: IdempotencyKey = None) -> Response:
        with self._request_scope():
            return self._respond(self._checkout.place(*self._session(authorization), idempotency_key), 201)

    def show_order(self, order_id: Id, authorization: Authorization = None) -> Response:
        with self._request_scope():
            _, user = self._session(authorization)
            return self._respond(self._checkout.order(order_id, user))

    def show_ledger(self) -> Response:
        return _json(read_ledger(self._database))

    def show_payments(self) -> Response:
        return _json(compare_payments(Orders(self._database), self._payment))

    async def show_health(self) -> Response:
        return _json({"status": "ok"})

    async def show_metrics(self) -> Response:
        return Response(self.metrics.text(), media_type=CONTENT_TYPE_LATEST)

    def _session(self, authorization: str | None) -> tuple[str, str]:
        scheme, _, token = (authorization or "").partition(" ")
        user = self._tokens.user_of(token) if scheme.lower() == "bearer" and token else None
        if user is None:
            raise NotLoggedIn
        return token, user

    def _shown(self, cart: Cart) -> ShownCart:
        products = self._catalogue.products(cart)
        items: list[OrderLine] = [
            {
                "product_id": product_id,
                "name": products[product_id]["name"],
                "quantity": quantity,
                "price_cents": products[product_id]["price_cents"],
            }
            for product_id, quantity in sorted(cart.items())
        ]
        return {"items": items, "total_cents": sum(item["quantity"] * item["price_cents"] for item in items)}

    def _request_scope(self) -> AbstractContextManager[None]:
        if self._defects.lock_convoy:
            return count_stock_under_global_lock(self._database, self._defects.lock_convoy)
        return nullcontext()

    def _respond(self, value: object, status: int = 200) -> Response:
        if self._defects.slow_serialization:
            body = render_in_pure_python(value, self._defects.slow_serialization).encode()
        else:
            body = render(value)
        if self._defects.leak:
            remember_response(body, self._defects.leak)
        return Response(body, status, media_type="application/json")


def render(value: object) -> bytes:
    """``value`` as JSON. FastAPI's own way would validate first what this code has just made."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def create_app(database: Database, backends: Backends, payment: PaymentClient, defects: Defects) -> Traffic:
    """The application as an ASGI callable, counting included; its parts are the caller's to close."""
    app = FastAPI(title="Shop", docs_url=None, redoc_url=None, redirect_slashes=False)
    if defects.small_pool:
        app.add_middleware(ConnectionPerRequest, database=database)
    endpoints = Endpoints(database, backends, payment, defects)
    traffic = Traffic(app, endpoints.metrics)

    async def show_served() -> Response:
        return _json(traffic.served())

    for method, path, endpoint in (
        ("POST", "/login", endpoints.log_in),
        ("GET", "/products", endpoints.list_products),
        ("GET", "/products/{product_id}", endpoints.show_product),
        ("GET", "/search", endpoints.search),
        ("POST", "/cart", endpoints.add_to_cart),
        ("GET", "/cart", endpoints.show_cart),
        ("POST", "/checkout", endpoints.check_out),
        ("GET", "/orders/{order_id}", endpoints.show_order),
        ("GET", "/ledger", endpoints.show_ledger),
        ("GET", "/payments", endpoints.show_payments),
        ("GET", "/health", endpoints.show_health),
        ("GET", "/metrics", endpoints.show_metrics),
        ("GET", "/served", show_served),
    ):
        app.add_api_route(path, endpoint, methods=[method], **documented(method, path))

    app.add_exception_handler(Refusal, _refuse)
    app.add_exception_handler(404, _not_found)
    for error in (PoolTimeout, OperationalError, *backends.errors):
        app.add_exception_handler(error, _unavailable)
    app.add_exception_handler(Exception, _failed)
    return traffic


def _json(value: object, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    return Response(render(value), status, headers, media_type="application/json")


async def _refuse(_: Request, error: Any) -> Response:
    return _json(error.body(), error.status, error.headers)


async def _not_found(request: Request, _error: Exception) -> Response:
    return await _refuse(request, NotFound())


async def _failed(_: Request, _error: Exception) -> Response:
    return _json({"error": "internal"}, 500)


async def _unavailable(request: Request, error: Exception) -> Response:
    _log.warning("%s %s: %s", request.method, request.url.path, str(error).splitlines()[0])
    return await _refuse(request, Unavailable())

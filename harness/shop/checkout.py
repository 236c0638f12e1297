"""Checkout: reserve the units, have them paid, settle. A repeated step has the effect of one.

The vendor is called between two transactions, so a slow vendor holds no lock. What is known only later is settled
later: an order whose payment has an unknown outcome is cancelled, and the vendor forgets the charge
(`harness.shop.paying`). A buyer who sends the same Idempotency-Key again gets the order that was placed under it.
"""

from __future__ import annotations

import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Connection, select
from sqlalchemy.orm import Session, selectinload
from typing_extensions import TypedDict

from harness.shop.catalogue import Catalogue
from harness.shop.database import Database, once_more
from harness.shop.defective import stock_in_cache, write_stale_stock
from harness.shop.defects import Defects
from harness.shop.errors import CheckoutUnderWay, EmptyCart, NotFound, Refusal, SoldOut
from harness.shop.orders import Orders, Placed, TakeStock, take_stock
from harness.shop.paying import Paying, Receipt
from harness.shop.payment_client import PaymentClient
from harness.shop.sessions import Cart, Sessions
from harness.shop.tables import Order, OrderItem


class OrderLine(TypedDict):
    """One product of an order or a cart."""

    product_id: int
    name: str
    quantity: int
    price_cents: int


class FullOrder(Receipt):
    """An order with its items."""

    items: list[OrderLine]


class Checkout:
    """Turns carts into paid orders."""

    def __init__(
        self, database: Database, catalogue: Catalogue, sessions: Sessions, payment: PaymentClient, defects: Defects
    ) -> None:
        self._database = database
        self._orders = Orders(database)
        self._catalogue = catalogue
        self._sessions = sessions
        self._payment = payment
        self._paying = Paying(self._orders, payment)
        self._defects = defects
        self._under_way: set[tuple[str, str]] = set()
        self._lock = threading.Lock()

    def place(self, token: str, user: str, client_key: str | None = None) -> Receipt:
        """Buys what is in the cart; the order of ``client_key`` if there is one already.

        Raises `EmptyCart`, `SoldOut`, `PaymentDeclined`, `PaymentUnavailable` or `CheckoutUnderWay`; the cart is then
        as it was, only what is sold out has left it, so that the rest can be bought. After any other error it is
        unknown whether the order is placed: the same ``client_key`` finds out.
        """
        with self._alone(user, client_key):
            order = self._orders.of_client(user, client_key)
            if order is not None:
                return self._paying.pay(order)
            self._payment.require_available()
            cart = self._sessions.take_cart(token)
            if not cart:
                raise EmptyCart
            payment_key = uuid.uuid4().hex
            try:
                order = self._reserve(user, cart, payment_key, client_key)
            except BaseException as error:  # raised again: whatever the reason, the cart is restored
                if isinstance(error, SoldOut):
                    del cart[error.product_id]
                self._put_back(token, cart)
                raise
            if order.payment_key != payment_key:  # another shop was faster with the same key
                self._put_back(token, cart)
                return self._paying.pay(order)
            try:
                receipt = self._paying.pay(order)
            except Refusal:
                self._put_back(token, cart)
                raise
            if not self._defects.oversell:
                self._catalogue.forget(cart)
            return receipt

    @once_more
    def order(self, order_id: int, user: str) -> FullOrder:
        """An order of ``user``; raises `NotFound` if it does not exist or belongs to another user."""
        with self._database.read() as connection, Session(connection) as session:
            statement = select(Order).where(Order.id == order_id, Order.user == user)
            order = session.scalar(statement.options(selectinload(Order.items).joinedload(OrderItem.product)))
            if order is None:
                raise NotFound
            return {
                "order_id": order.id,
                "total_cents": order.total_cents,
                "status": order.status,
                "items": [
                    {
                        "product_id": item.product_id,
                        "name": item.product.name,
                        "quantity": item.quantity,
                        "price_cents": item.price_cents,
                    }
                    for item in order.items
                ],
            }

    def _reserve(self, user: str, cart: Cart, payment_key: str, client_key: str | None) -> Placed:
        take: TakeStock = take_stock
        if self._defects.oversell:
            seen = stock_in_cache(self._catalogue.products(cart))

            def take(connection: Connection, product_id: int, quantity: int) -> int:
                return write_stale_stock(connection, seen, product_id, quantity)

        return self._orders.reserve(user, cart, payment_key, client_key, take)

    def _put_back(self, token: str, cart: Cart) -> None:
        for product_id, quantity in cart.items():
            self._sessions.add_to_cart(token, product_id, quantity)

    @contextmanager
    def _alone(self, user: str, client_key: str | None) -> Iterator[None]:
        """Until the first request has written its order, a second one with its key would find an empty cart."""
        if client_key is None:
            yield
            return
        checkout = (user, client_key)
        with self._lock:
            if checkout in self._under_way:
                raise CheckoutUnderWay
            self._under_way.add(checkout)
        try:
            yield
        finally:
            self._under_way.discard(checkout)

"""Checkout: one transaction that takes the stock, writes the order and has it paid, or leaves nothing behind.

No oversell, whatever happens at once: stock is taken by ``UPDATE … SET stock = stock - n WHERE stock >= n``, which
checks and takes in one statement under the row's lock. Products are taken in order of id, so that two carts with
the same products never wait for each other in a circle. The vendor is called inside the transaction, because
only then is a declined payment undone by the database itself; the price is that locks are held for as long as the
vendor takes, which the client's time-out bounds.
"""

from __future__ import annotations

from typing import TypedDict

from sqlalchemy import bindparam, select, update
from sqlalchemy.orm import Session, selectinload

from harness.shop.catalogue import Catalogue
from harness.shop.database import Database
from harness.shop.defective import stock_in_cache, write_stale_stock
from harness.shop.defects import Defects
from harness.shop.errors import EmptyCart, NotFound, SoldOut
from harness.shop.payment_client import PaymentClient
from harness.shop.sessions import Cart, Sessions
from harness.shop.tables import Order, OrderItem, Product


class Receipt(TypedDict):
    """A paid order, in short."""

    order_id: int
    total_cents: int
    status: str


class OrderLine(TypedDict):
    """One product of an order or a cart."""

    product_id: int
    name: str
    quantity: int
    price_cents: int


class FullOrder(Receipt):
    """A paid order with what is in it."""

    items: list[OrderLine]


# On the table, not the class: this runs once for each product of a cart while locks are held, and the
# ORM's update would cost it twice the time for nothing, as no product is loaded.
_products = Product.metadata.tables[Product.__tablename__].c
_TAKE = (
    update(_products.id.table)
    .where(_products.id == bindparam("product_id"), _products.stock >= bindparam("quantity"))
    .values(stock=_products.stock - bindparam("quantity"))
    .returning(_products.price_cents)
)


class Checkout:
    """Turns carts into paid orders."""

    def __init__(
        self, database: Database, catalogue: Catalogue, sessions: Sessions, payment: PaymentClient, defects: Defects
    ) -> None:
        self._database = database
        self._catalogue = catalogue
        self._sessions = sessions
        self._payment = payment
        self._defects = defects

    def place(self, token: str, user: str) -> Receipt:
        """Buys what is in the cart.

        Raises `EmptyCart`, `SoldOut`, `PaymentDeclined` or `PaymentUnavailable`; the cart is then as it was, only
        what is sold out has left it, so that the rest can be bought.
        """
        cart = self._sessions.take_cart(token)
        if not cart:
            raise EmptyCart
        try:
            receipt = self._buy(user, cart)
        except BaseException as error:  # raised again: whatever kept it from being bought, the cart is as it was
            if isinstance(error, SoldOut):
                del cart[error.product_id]
            for product_id, quantity in cart.items():
                self._sessions.add_to_cart(token, product_id, quantity)
            raise
        if not self._defects.oversell:
            self._catalogue.forget(cart)
        return receipt

    def order(self, order_id: int, user: str) -> FullOrder:
        """An order of ``user``'s; raises `NotFound` for one that is not there or somebody else's."""
        with self._database.read() as connection, Session(connection) as session:
            statement = select(Order).where(Order.id == order_id, Order.user == user)
            order = session.scalar(statement.options(selectinload(Order.items).joinedload(OrderItem.product)))
            if order is None:
                raise NotFound
            return {
                "order_id": order.id,
                "total_cents": order.total_cents,
                "status": "paid",
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

    def _buy(self, user: str, cart: Cart) -> Receipt:
        seen = stock_in_cache(self._catalogue.products(cart)) if self._defects.oversell else None
        with self._database.write() as session:
            items = []
            for product_id, quantity in sorted(cart.items()):
                if seen is None:
                    price = take_stock(session, product_id, quantity)
                else:
                    price = write_stale_stock(session, seen, product_id, quantity)
                items.append(OrderItem(product_id=product_id, quantity=quantity, price_cents=price))
            order = Order(user=user, total_cents=sum(item.quantity * item.price_cents for item in items), items=items)
            session.add(order)
            session.flush()
            self._payment.charge(order.id, order.total_cents)
            return {"order_id": order.id, "total_cents": order.total_cents, "status": "paid"}


def take_stock(session: Session, product_id: int, quantity: int) -> int:
    """Takes ``quantity`` units and gives the price of one; raises `SoldOut` where fewer are left."""
    price: int | None = (
        session.connection().execute(_TAKE, {"product_id": product_id, "quantity": quantity}).scalar_one_or_none()
    )
    if price is None:
        raise SoldOut(product_id)
    return price

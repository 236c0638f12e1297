"""Orders in the database, reserved and settled in two transactions: no lock is held during payment.

No oversell, whatever happens at once: stock is taken by ``UPDATE … SET stock = stock - n WHERE stock >= n``, which
checks and takes in one statement under the row's lock. Products are taken in order of id, so that two carts with
the same products never wait for each other in a circle.

Nothing is done twice, although a transaction whose connection was lost is tried again: an order is known by its
``payment_key``, and only one transaction takes it from pending to what it is then.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Connection, and_, bindparam, insert, or_, select, update
from sqlalchemy.exc import DBAPIError, IntegrityError

from harness.shop.database import Database, once_more
from harness.shop.errors import SoldOut
from harness.shop.sessions import Cart
from harness.shop.tables import Order, OrderItem, Product, Status

TakeStock = Callable[[Connection, int, int], int]
"""Takes units of a product and returns the price of one; raises `SoldOut`."""


class Placed(NamedTuple):
    """An order without its items."""

    order_id: int
    user: str
    total_cents: int
    status: Status
    payment_key: str
    client_key: str | None


# On the tables, not the classes: these run in each checkout, and the ORM would cost them twice the time for
# nothing, as nothing is loaded.
_orders = Order.metadata.tables[Order.__tablename__].c
_items = Order.metadata.tables[OrderItem.__tablename__].c
_products = Product.metadata.tables[Product.__tablename__].c
_TAKE = (
    update(_products.id.table)
    .where(_products.id == bindparam("product_id"), _products.stock >= bindparam("quantity"))
    .values(stock=_products.stock - bindparam("quantity"))
    .returning(_products.price_cents)
)
_GIVE_BACK = (
    update(_products.id.table)
    .where(_products.id == bindparam("of_product"))
    .values(stock=_products.stock + bindparam("units"))
)
_PLACE = insert(_orders.id.table).returning(_orders.id)
_PLACE_ITEMS = insert(_items.order_id.table)
_PLACED = select(
    _orders.id, _orders.user_name, _orders.total_cents, _orders.status, _orders.payment_key, _orders.client_key
)
_PAID = (
    update(_orders.id.table)
    .where(_orders.id == bindparam("order_id"), _orders.status == Status.PENDING)
    .values(status=Status.PAID)
)
_NOT_BOUGHT = (
    update(_orders.id.table)
    .where(_orders.id == bindparam("order_id"), _orders.status == Status.PENDING)
    # The buyer may try again under the same key.
    .values(status=bindparam("becomes"), client_key=None)
)
_VOIDED = (
    update(_orders.id.table)
    .where(_orders.id == bindparam("order_id"), _orders.status == Status.CANCELLED)
    .values(status=Status.VOIDED)
)


class Orders:
    """The orders of one shop."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def reserve(self, user: str, cart: Cart, payment_key: str, client_key: str | None, take: TakeStock) -> Placed:
        """Takes the stock and writes the order, or neither; the one that is there already under one of the keys.

        Raises `SoldOut`.
        """
        try:
            return self._reserve(user, cart, payment_key, client_key, take)
        except DBAPIError as error:
            if not (isinstance(error, IntegrityError) or error.connection_invalidated):
                raise
            # Another request came first with the client's key, or the transaction may have been committed.
            known = self._find(_orders.payment_key == payment_key) or self.of_client(user, client_key)
            return known or self._reserve(user, cart, payment_key, client_key, take)

    def _reserve(self, user: str, cart: Cart, payment_key: str, client_key: str | None, take: TakeStock) -> Placed:
        with self._database.write() as connection:
            prices = {id_: take(connection, id_, quantity) for id_, quantity in sorted(cart.items())}
            total = sum(quantity * prices[id_] for id_, quantity in cart.items())
            order = {
                "user_name": user,
                "total_cents": total,
                "status": Status.PENDING,
                "payment_key": payment_key,
                "client_key": client_key,
                "placed_at_s": time.time(),
            }
            order_id: int = connection.execute(_PLACE, order).scalar_one()
            items = [
                {"order_id": order_id, "product_id": id_, "quantity": cart[id_], "price_cents": price}
                for id_, price in prices.items()
            ]
            connection.execute(_PLACE_ITEMS, items)
            return Placed(order_id, user, total, Status.PENDING, payment_key, client_key)

    def of_client(self, user: str, client_key: str | None) -> Placed | None:
        """The order that ``user`` asked for under this key."""
        if client_key is None:
            return None
        return self._find(and_(_orders.user_name == user, _orders.client_key == client_key))

    @once_more
    def settle(self, order_id: int, becomes: Status) -> Status:
        """Takes a pending order to `Status.PAID`, or gives its units back.

        Returns what it is then: another request may have come first.
        """
        with self._database.write() as connection:
            if becomes is Status.PAID:
                settled = connection.execute(_PAID, {"order_id": order_id}).rowcount
            else:
                settled = connection.execute(_NOT_BOUGHT, {"order_id": order_id, "becomes": becomes}).rowcount
            if not settled:
                return Status(connection.execute(select(_orders.status).where(_orders.id == order_id)).scalar_one())
            if becomes is not Status.PAID:
                items = select(_items.product_id, _items.quantity).where(_items.order_id == order_id)
                for product_id, quantity in connection.execute(items.order_by(_items.product_id)).all():
                    connection.execute(_GIVE_BACK, {"of_product": product_id, "units": quantity})
            return becomes

    @once_more
    def voided(self, order_id: int) -> None:
        """The vendor has forgotten the charge of a cancelled order."""
        with self._database.write() as connection:
            connection.execute(_VOIDED, {"order_id": order_id})

    @once_more
    def open(self, placed_before_s: float) -> list[Placed]:
        """Cancelled orders, and those that are pending since before then (Unix time)."""
        pending = and_(_orders.status == Status.PENDING, _orders.placed_at_s < placed_before_s)
        with self._database.read() as connection:
            which = or_(_orders.status == Status.CANCELLED, pending)
            return [_placed(row) for row in connection.execute(_PLACED.where(which).order_by(_orders.id))]

    @once_more
    def statuses(self) -> dict[int, Status]:
        """Every order there is."""
        with self._database.read() as connection:
            return {id_: Status(status) for id_, status in connection.execute(select(_orders.id, _orders.status))}

    @once_more
    def _find(self, which: ColumnElement[bool]) -> Placed | None:
        with self._database.read() as connection:
            row = connection.execute(_PLACED.where(which)).one_or_none()
            return None if row is None else _placed(row)


def _placed(row: Sequence[Any]) -> Placed:
    order_id, user, total_cents, status, payment_key, client_key = row
    return Placed(order_id, user, total_cents, Status(status), payment_key, client_key)


def take_stock(connection: Connection, product_id: int, quantity: int) -> int:
    """Takes ``quantity`` units and gives the price of one; raises `SoldOut` where fewer are left."""
    taken = connection.execute(_TAKE, {"product_id": product_id, "quantity": quantity})
    price: int | None = taken.scalar_one_or_none()
    if price is None:
        raise SoldOut(product_id)
    return price

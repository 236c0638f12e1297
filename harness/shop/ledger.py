"""The books: is every unit that was there at the start either left or sold, and none sold twice?"""

from __future__ import annotations

from typing import TypedDict

from sqlalchemy import func, select

from harness.shop.database import Database
from harness.shop.tables import Order, OrderItem, Product


class Ledger(TypedDict):
    """Units over all products. ``consistent``: initial = left + sold for each product, and none is below zero.

    ``oversold_products`` were sold more often than stock was taken for, even where some is still left.
    """

    initial: int
    left: int
    sold: int
    orders: int
    oversold_products: list[int]
    consistent: bool


_SOLD = (
    select(OrderItem.product_id, func.sum(OrderItem.quantity).label("units")).group_by(OrderItem.product_id).subquery()
)
# One statement, so that it sees one moment, with checkouts going on.
_BOOKS = (
    select(
        Product.id,
        Product.initial_stock,
        Product.stock,
        func.coalesce(_SOLD.c.units, 0).label("sold"),
        select(func.count()).select_from(Order).scalar_subquery().label("orders"),
    )
    .outerjoin(_SOLD, _SOLD.c.product_id == Product.id)
    .order_by(Product.id)
)


def read_ledger(database: Database) -> Ledger:
    """The books as of now."""
    with database.read() as connection:
        rows = connection.execute(_BOOKS).all()
    return {
        "initial": sum(row.initial_stock for row in rows),
        "left": sum(row.stock for row in rows),
        "sold": sum(row.sold for row in rows),
        "orders": rows[0].orders if rows else 0,
        "oversold_products": [row.id for row in rows if row.sold > row.initial_stock - row.stock or row.stock < 0],
        "consistent": all(row.initial_stock == row.stock + row.sold and row.stock >= 0 for row in rows),
    }

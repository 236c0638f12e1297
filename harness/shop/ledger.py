"""The books: is every unit that was there at the start either left or sold, and none sold twice?"""

from __future__ import annotations

from sqlalchemy import Label, case, func, select
from typing_extensions import TypedDict

from harness.shop.database import Database, once_more
from harness.shop.tables import Order, OrderItem, Product, Status


class Ledger(TypedDict):
    """Units over all products. ``consistent``: initial = left + sold for each product, and none is below zero.

    Only paid orders are sold: ``left`` are also the units that are reserved while their buyer pays.

    ``oversold_products`` were sold more often than stock was taken for, even where some is still left.
    """

    initial: int
    left: int
    sold: int
    orders: int
    oversold_products: list[int]
    consistent: bool


def _units(status: Status) -> Label[int]:
    return func.sum(case((Order.status == status, OrderItem.quantity), else_=0)).label(status.value)


_TAKEN = (
    select(OrderItem.product_id, _units(Status.PAID), _units(Status.PENDING))
    .join(Order, Order.id == OrderItem.order_id)
    .group_by(OrderItem.product_id)
    .subquery()
)
# One statement, so that it sees one moment, with checkouts going on.
_BOOKS = (
    select(
        Product.id,
        Product.initial_stock,
        Product.stock,
        (Product.stock + func.coalesce(_TAKEN.c.pending, 0)).label("left"),
        func.coalesce(_TAKEN.c.paid, 0).label("sold"),
        select(func.count()).select_from(Order).where(Order.status == Status.PAID).scalar_subquery().label("orders"),
    )
    .outerjoin(_TAKEN, _TAKEN.c.product_id == Product.id)
    .order_by(Product.id)
)


@once_more
def read_ledger(database: Database) -> Ledger:
    """The books as of now."""
    with database.read() as connection:
        rows = connection.execute(_BOOKS).all()
    return {
        "initial": sum(row.initial_stock for row in rows),
        "left": sum(row.left for row in rows),
        "sold": sum(row.sold for row in rows),
        "orders": rows[0].orders if rows else 0,
        "oversold_products": [row.id for row in rows if row.sold > row.initial_stock - row.left or row.stock < 0],
        "consistent": all(row.initial_stock == row.left + row.sold and row.stock >= 0 for row in rows),
    }

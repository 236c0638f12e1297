"""The shop's tables. All begin with ``shop_``: a database given by URL may hold other things."""

from __future__ import annotations

from enum import StrEnum

from sqlalchemy import ForeignKey, Index, String, UniqueConstraint, text
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

# Compared byte by byte on both databases (SQLite does so anyway), so that a range of words can use the index.
_WORD = String(60).with_variant(String(60, collation="C"), "postgresql")

CLIENT_KEY_LENGTH = 255


class Base(DeclarativeBase):
    """Root of the shop's tables."""


class Sale(Base):
    """One row, written when the tables are filled: ``name`` identifies the sale, ``secret`` signs its tokens."""

    __tablename__ = "shop_sale"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(200))
    secret: Mapped[str] = mapped_column(String(64))


class Product(Base):
    """A thing on sale: ``stock`` units are left of ``initial_stock``."""

    __tablename__ = "shop_products"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(120))
    price_cents: Mapped[int]
    stock: Mapped[int]
    initial_stock: Mapped[int]


class ProductWord(Base):
    """The search index: one row for each word of a product's name, in lower case."""

    __tablename__ = "shop_product_words"

    word: Mapped[str] = mapped_column(_WORD, primary_key=True)
    product_id: Mapped[int] = mapped_column(ForeignKey(Product.id), primary_key=True)


class Status(StrEnum):
    """Where an order is. Its units are taken from the stock while it is pending or paid."""

    PENDING = "pending"
    """The vendor is being asked."""
    PAID = "paid"
    DECLINED = "declined"
    CANCELLED = "cancelled"
    """Not bought; the vendor may have charged it, and has not confirmed yet that it forgets the charge."""
    VOIDED = "voided"
    """Not bought, and the vendor has confirmed that nothing is charged."""


UNSETTLED = frozenset({Status.PENDING, Status.CANCELLED})
_IS_UNSETTLED = text("status IN ('pending', 'cancelled')")


class Order(Base):
    """What a buyer asked for. ``payment_key`` is the vendor's, ``client_key`` the buyer's Idempotency-Key."""

    __tablename__ = "shop_orders"

    id: Mapped[int] = mapped_column(primary_key=True)
    user: Mapped[str] = mapped_column("user_name", String(100))
    total_cents: Mapped[int]
    status: Mapped[str] = mapped_column(String(10), default=Status.PENDING)
    payment_key: Mapped[str] = mapped_column(String(32), unique=True)
    client_key: Mapped[str | None] = mapped_column(String(CLIENT_KEY_LENGTH))
    placed_at_s: Mapped[float]
    items: Mapped[list[OrderItem]] = relationship(order_by="OrderItem.product_id")

    __table_args__ = (
        UniqueConstraint("user_name", "client_key"),
        Index("shop_unsettled_orders", "id", sqlite_where=_IS_UNSETTLED, postgresql_where=_IS_UNSETTLED),
    )


class OrderItem(Base):
    """So many units of a product, at the price of that moment."""

    __tablename__ = "shop_order_items"

    order_id: Mapped[int] = mapped_column(ForeignKey(Order.id), primary_key=True)
    product_id: Mapped[int] = mapped_column(ForeignKey(Product.id), primary_key=True)
    quantity: Mapped[int]
    price_cents: Mapped[int]
    product: Mapped[Product] = relationship()

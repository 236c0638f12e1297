"""The shop's tables. All begin with ``shop_``: a database given by URL may hold other things."""

from __future__ import annotations

from sqlalchemy import ForeignKey, String
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

# Compared byte by byte on both databases (SQLite does so anyway), so that a range of words can use the index.
_WORD = String(60).with_variant(String(60, collation="C"), "postgresql")


class Base(DeclarativeBase):
    """Root of the shop's tables."""


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


class Order(Base):
    """A paid order; one that was not paid for is never committed."""

    __tablename__ = "shop_orders"

    id: Mapped[int] = mapped_column(primary_key=True)
    user: Mapped[str] = mapped_column("user_name", String(100))
    total_cents: Mapped[int]
    items: Mapped[list[OrderItem]] = relationship(order_by="OrderItem.product_id")


class OrderItem(Base):
    """So many units of a product, at the price of that moment."""

    __tablename__ = "shop_order_items"

    order_id: Mapped[int] = mapped_column(ForeignKey(Order.id), primary_key=True)
    product_id: Mapped[int] = mapped_column(ForeignKey(Product.id), primary_key=True)
    quantity: Mapped[int]
    price_cents: Mapped[int]
    product: Mapped[Product] = relationship()

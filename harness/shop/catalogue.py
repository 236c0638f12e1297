"""What is on sale: pages, single products and searches, read through the cache."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sqlalchemy import ColumnElement, bindparam, func, select
from sqlalchemy.orm import InstrumentedAttribute
from typing_extensions import TypedDict

from harness.shop.cache import ReadCache
from harness.shop.database import Database, once_more
from harness.shop.defective import rank_by_edit_distance, read_item_by_item
from harness.shop.defects import Defects
from harness.shop.errors import NotFound
from harness.shop.item import Item
from harness.shop.seed import words_of
from harness.shop.tables import Product, ProductWord

SEARCH_SIZE = 20
"""How many hits a search shows, of all that it counts."""

SEARCH_WORDS = 5


class Page(TypedDict):
    """One page of the product list; ``total`` products on ``pages`` pages in all."""

    items: list[Item]
    page: int
    pages: int
    total: int


class Hits(TypedDict):
    """The first hits of a search, and how many there are."""

    items: list[Item]
    total: int


_ITEM = (Product.id, Product.name, Product.price_cents, Product.stock)
_COUNT = select(func.count()).select_from(Product)
_PAGE = select(*_ITEM).order_by(Product.id).limit(bindparam("size")).offset(bindparam("skip"))
_BY_ID = select(*_ITEM).where(Product.id.in_(bindparam("ids", expanding=True)))


class Catalogue:
    """Reads of products. Stock may be as old as the cache; checkout reads the database itself."""

    def __init__(self, database: Database, cache: ReadCache, defects: Defects) -> None:
        self._database = database
        self._cache = cache
        self._defects = defects

    def page(self, number: int, size: int) -> Page:
        """Page ``number`` (from 1) of ``size`` products each, in order of id; empty beyond the last."""
        page: Page = self._cache.fetch(f"shop:page:{number}:{size}", lambda: self._read_page(number, size))
        if self._defects.n_plus_one:
            return {**page, "items": self._one_by_one(page["items"])}
        return page

    def product(self, product_id: int) -> Item:
        """One product; raises `NotFound`."""
        found = self.products([product_id])
        if product_id not in found:
            raise NotFound
        return found[product_id]

    def products(self, ids: Iterable[int]) -> dict[int, Item]:
        """Those of the products that exist, by id."""
        keys = {_product_key(id_): id_ for id_ in ids}
        found = self._cache.fetch_many(keys, self._read_products)
        items: list[Item] = list(found.values())
        if self._defects.n_plus_one:
            items = self._one_by_one(items)
        return {item["id"]: item for item in items}

    def search(self, query: str) -> Hits:
        """Products with, for each word of ``query``, a word in their name that begins so; none for no words."""
        words = words_of(query)[:SEARCH_WORDS]
        if not words:
            return {"items": [], "total": 0}
        hits: Hits = self._cache.fetch(f"shop:search:{' '.join(words)}", lambda: self._read_hits(words))
        if self._defects.slow_search:
            ranked = rank_by_edit_distance(self._database, query, hits["items"], self._defects.slow_search)
            return {**hits, "items": ranked}
        return hits

    def forget(self, ids: Iterable[int]) -> None:
        """Read products whose stock has changed from the database the next time."""
        self._cache.forget([_product_key(id_) for id_ in ids])

    @once_more
    def _read_page(self, number: int, size: int) -> Page:
        with self._database.read() as connection:
            total = connection.execute(_COUNT).scalar_one()
            rows = connection.execute(_PAGE, {"size": size, "skip": (number - 1) * size}).all()
        return {"items": _items(rows), "page": number, "pages": -(-total // size), "total": total}

    @once_more
    def _read_products(self, ids: list[int]) -> dict[str, Item]:
        with self._database.read() as connection:
            rows = connection.execute(_BY_ID, {"ids": ids}).all()
        return {_product_key(item["id"]): item for item in _items(rows)}

    @once_more
    def _read_hits(self, words: list[str]) -> Hits:
        total = func.count().over().label("total")
        statement = select(*_ITEM, total).order_by(Product.id).limit(SEARCH_SIZE)
        for word in words:
            statement = statement.where(
                Product.id.in_(select(ProductWord.product_id).where(_begins(ProductWord.word, word)))
            )
        with self._database.read() as connection:
            rows = connection.execute(statement).all()
        return {"items": _items(rows), "total": rows[0].total if rows else 0}

    def _one_by_one(self, items: list[Item]) -> list[Item]:
        ids = [item["id"] for item in items]
        return _items(read_item_by_item(self._database, _BY_ID, ids, self._defects.n_plus_one))


def _product_key(product_id: int) -> str:
    return f"shop:product:{product_id}"


def _begins(column: InstrumentedAttribute[str], word: str) -> ColumnElement[bool]:
    """``column`` begins with ``word``, as a range, which any index can serve (LIKE only some)."""
    after = word[:-1] + chr(ord(word[-1]) + 1)
    return (column >= word) & (column < after)


def _items(rows: Iterable[Any]) -> list[Item]:
    return [{"id": row[0], "name": row[1], "price_cents": row[2], "stock": row[3]} for row in rows]

"""Fills the shop's tables, the same way for the same seed: products with names made of three words."""

from __future__ import annotations

import random
import re
import secrets
from contextlib import suppress
from typing import NamedTuple

from sqlalchemy import insert, inspect, select, text
from sqlalchemy.exc import SQLAlchemyError

from harness.shop.database import Database, cannot_use
from harness.shop.errors import ShopStartError
from harness.shop.tables import Base, Product, ProductWord, Sale

ADJECTIVES = "amber bold calm clever cosy crisp eager fancy gentle grand happy humble jolly keen light lucky mellow "
ADJECTIVES += "modern neat noble plain proud quiet rapid royal rustic shiny silent simple smooth solid sturdy sunny "
ADJECTIVES += "swift tidy tiny urban vivid warm wild"
MATERIALS = "bamboo brass canvas ceramic copper cork cotton felt glass granite iron leather linen marble oak "
MATERIALS += "paper pine silk steel wool"
THINGS = "apron backpack basket bench blanket bottle bowl candle chair clock cup desk drawer frame jacket kettle "
THINGS += "ladder lamp mirror mug notebook pillow plate rug scarf shelf stool table tray vase"

_WORD = re.compile(r"[a-z0-9]+")
_SEEDING = 0x5340_5053
"""Key of the PostgreSQL lock that two shops starting at once on one database take in turn."""


def words_of(text: str) -> list[str]:
    """The words of ``text``, in lower case, in order, each once: how names are indexed and searches are read."""
    return list(dict.fromkeys(_WORD.findall(text.lower())))


def seed(database: Database, *, products: int, stock: int, seed: int, sale: str | None = None) -> None:
    """Makes the tables anew and fills them with ``products`` products of ``stock`` units each, ids from 1.

    ``sale`` is the name of the sale, by default one that no other has.
    Raises `ShopStartError` where that cannot be done.
    """
    names = _names(products, random.Random(seed))
    prices = random.Random(seed + 1)
    rows: list[dict[str, object]] = [
        {"id": id_, "name": name, "price_cents": prices.randrange(199, 20_000), "stock": stock, "initial_stock": stock}
        for id_, name in enumerate(names, 1)
    ]
    words: list[dict[str, object]] = [
        {"word": word, "product_id": row["id"]} for row in rows for word in words_of(str(row["name"]))
    ]
    try:
        _fill(database, rows, words, {"name": sale or secrets.token_hex(8), "secret": secrets.token_hex(32)})
    except SQLAlchemyError as error:
        raise cannot_use(error) from error


class OpenSale(NamedTuple):
    """The sale that a database is filled for: its name, and the secret that signs its tokens."""

    name: str
    secret: str


def read_sale(database: Database) -> OpenSale:
    """Raises `ShopStartError` where no shop has filled the database yet."""
    try:
        if inspect(database.engine).has_table(Sale.__tablename__):
            with database.read() as connection:
                return OpenSale(*connection.execute(select(Sale.name, Sale.secret)).one())
    except SQLAlchemyError as error:
        raise cannot_use(error) from error
    raise ShopStartError(f"SHOP_SEED: there is nothing to keep in {database}: no shop has filled it")


def goes_on(database: Database, sale: str | None) -> bool:
    """Whether the database is filled for this very sale, by a shop that has ended."""
    with suppress(ShopStartError):
        return sale is not None and read_sale(database).name == sale
    return False


def _fill(
    database: Database, rows: list[dict[str, object]], words: list[dict[str, object]], sale: dict[str, object]
) -> None:
    with database.write() as connection:
        if connection.dialect.name == "postgresql":
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _SEEDING})
        Base.metadata.drop_all(connection)
        Base.metadata.create_all(connection)
        connection.execute(insert(Sale), [sale])
        connection.execute(insert(Product), rows)
        connection.execute(insert(ProductWord), words)
        connection.execute(text("ANALYZE"))


def _names(count: int, chance: random.Random) -> list[str]:
    adjectives, materials, things = ADJECTIVES.split(), MATERIALS.split(), THINGS.split()
    return [
        f"{chance.choice(adjectives)} {chance.choice(materials)} {things[number % len(things)]}".title()
        for number in range(count)
    ]

"""Fills the shop's tables, the same way for the same seed: products with names made of three words."""

from __future__ import annotations

import random
import re

from sqlalchemy import insert, inspect, text
from sqlalchemy.exc import SQLAlchemyError

from harness.shop.database import Database, cannot_use
from harness.shop.errors import ShopStartError
from harness.shop.tables import Base, Product, ProductWord

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


def seed(database: Database, *, products: int, stock: int, seed: int) -> None:
    """Makes the tables anew and fills them with ``products`` products of ``stock`` units each, ids from 1.

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
        _fill(database, rows, words)
    except SQLAlchemyError as error:
        raise cannot_use(error) from error


def check_filled(database: Database) -> None:
    """Raises `ShopStartError` where no shop has filled the database yet."""
    if not inspect(database.engine).has_table(Product.__tablename__):
        raise ShopStartError(f"SHOP_SEED: there is nothing to keep in {database}: no shop has filled it")


def _fill(database: Database, rows: list[dict[str, object]], words: list[dict[str, object]]) -> None:
    with database.write() as session:
        connection = session.connection()
        if connection.dialect.name == "postgresql":
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _SEEDING})
        Base.metadata.drop_all(connection)
        Base.metadata.create_all(connection)
        connection.execute(insert(Product), rows)
        connection.execute(insert(ProductWord), words)
        connection.execute(text("ANALYZE"))


def _names(count: int, chance: random.Random) -> list[str]:
    adjectives, materials, things = ADJECTIVES.split(), MATERIALS.split(), THINGS.split()
    return [
        f"{chance.choice(adjectives)} {chance.choice(materials)} {things[number % len(things)]}".title()
        for number in range(count)
    ]

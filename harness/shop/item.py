"""A product as the shop shows it."""

from __future__ import annotations

from typing_extensions import TypedDict


class Item(TypedDict):
    """A product in a list, in a search or by itself."""

    id: int
    name: str
    price_cents: int
    stock: int

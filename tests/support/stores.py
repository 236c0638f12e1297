"""Reads a store without the harness."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sqlalchemy import create_engine, text

from harness.store.address import resolve


def rows(url: str, query: str) -> list[Any]:
    """The rows that ``query`` selects in the store at ``url``."""
    engine = create_engine(resolve(url, Path()).url)
    with engine.connect() as connection:
        found = list(connection.execute(text(query)))
    engine.dispose()
    return found

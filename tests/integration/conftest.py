"""Fixtures that integration tests share."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.counting_server import CountingServer
from tests.support.postgresql import PostgreSQL


@pytest.fixture
def server() -> Iterator[CountingServer]:
    with CountingServer().running() as running:
        yield running


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest) -> str:
    """Every test of a store runs on both databases."""
    return str(request.param)


@pytest.fixture
def store_url(request: pytest.FixtureRequest, database: str, tmp_path: Path) -> str:
    """The URL of an empty store."""
    return _new(request, database, tmp_path / "team.sqlite")


@pytest.fixture
def old_store_url(request: pytest.FixtureRequest, database: str, tmp_path: Path) -> str:
    """The URL of one more empty store, for one of an older harness."""
    return _new(request, database, tmp_path / "old.sqlite")


def _new(request: pytest.FixtureRequest, database: str, file: Path) -> str:
    if database == "sqlite":
        return f"sqlite:///{file}"
    server: PostgreSQL = request.getfixturevalue("postgresql")  # asked for here: without it SQLite is tested still
    return server.new_database()

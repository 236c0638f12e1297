"""An open store's database: one writer at a time, and every database error as one message.

Writes are few (one a run) and short, so they take turns: ``BEGIN IMMEDIATE`` on SQLite, an advisory lock on
PostgreSQL. That makes *look, then write* (replace a baseline, upgrade the tables) safe on both in the same way.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self, TypeVar

from pydantic import BaseModel, ValidationError
from sqlalchemy import Connection, Engine, NullPool, create_engine, event
from sqlalchemy.exc import ArgumentError, DBAPIError, OperationalError, StatementError
from sqlalchemy.orm import Session

from harness.errors import HarnessError, how_to_install
from harness.store.address import VARIABLE, Address

_Model = TypeVar("_Model", bound=BaseModel)

_WAIT_S = 30
_SHORT_WAIT_MS = 100
_IDLE_S = 10
"""A runner that freezes, or is cut off, while it writes loses its turn after this time, before others give up."""

_CONNECT_S = 10
_WRITES = "harness_writes"
_UNUSABLE_FILE = {
    *(sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN),
    *(sqlite3.SQLITE_PERM, sqlite3.SQLITE_IOERR),
}
"""Errors of SQLite that are due to the file or its folder, not to its contents."""
_LOCK = int.from_bytes(b"harness")
"""The number of the advisory lock; each PostgreSQL database has its own locks."""


def connect(address: Address) -> Engine:
    """The engine for ``address``, not connected yet. Raises :class:`HarnessError` if the driver is missing.

    No pool: a run asks the store before its load and again an hour later, and an idle connection would be cut.
    """
    if address.url.get_backend_name() == "sqlite":
        engine = _engine(address, {"timeout": _WAIT_S})
        event.listen(engine, "connect", _leave_transactions_to_us)
        event.listen(engine, "begin", _begin_sqlite)
        return engine
    try:
        engine = _engine(address, {"connect_timeout": _CONNECT_S})
    except ImportError as error:
        raise HarnessError(
            "postgresql-driver-missing", where=address.shown, install=how_to_install("postgresql")
        ) from error
    event.listen(engine, "begin", _begin_postgresql)
    return engine


def _engine(address: Address, arguments: dict[str, Any]) -> Engine:
    try:
        return create_engine(address.url, poolclass=NullPool, connect_args=arguments)
    except (ValueError, TypeError, ArgumentError) as error:  # an unknown option after "?", or a wrong value
        raise HarnessError("store-url-unusable", where=address.shown, error=error) from error


def writer(engine: Engine) -> Engine:
    """The same engine with transactions that exclude each other, across all processes."""
    return engine.execution_options(**{_WRITES: True})


@contextmanager
def reported_errors(address: Address) -> Iterator[None]:
    """Turn an error of the database into one :class:`HarnessError` that names the file or server."""
    try:
        yield
    except DBAPIError as error:
        lines = address.without_secrets(str(error.orig)).strip().splitlines()
        reason = lines[0] if lines else type(error.orig).__name__
        if address.url.get_backend_name() == "postgresql":
            raise HarnessError("store-server-failed", where=address.shown, reason=reason, variable=VARIABLE) from error
        code = getattr(error.orig, "sqlite_errorcode", 0) & 0xFF
        if code == sqlite3.SQLITE_FULL:
            raise HarnessError("store-disk-full", where=address.shown, reason=reason, variable=VARIABLE) from error
        if code in _UNUSABLE_FILE:
            raise HarnessError("store-file-failed", where=address.shown, reason=reason) from error
        raise HarnessError("store-file-damaged", where=address.shown, reason=reason) from error
    except (TypeError, ValueError, OverflowError, StatementError) as error:  # a value of another type than its column
        raise HarnessError("store-file-damaged", where=address.shown, reason=str(error).partition("\n")[0]) from error


def _leave_transactions_to_us(connection: sqlite3.Connection, _record: Any) -> None:
    # Otherwise Python's sqlite3 begins transactions itself, and only before some statements: upgrading the tables would
    # not be one transaction, and BEGIN IMMEDIATE would be impossible.
    connection.isolation_level = None


def _begin_sqlite(connection: Connection) -> None:
    writes = connection.get_execution_options().get(_WRITES)
    deadline = time.monotonic() + _WAIT_S
    # While SQLite itself waits for a lock, Python handles no signal: Ctrl-C would do nothing for all of that time.
    connection.exec_driver_sql(f"PRAGMA busy_timeout = {_SHORT_WAIT_MS}")
    while True:
        try:
            connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")
            if not writes:
                connection.exec_driver_sql("PRAGMA schema_version")  # which takes the lock that all reading needs
            break
        except OperationalError as error:
            busy = getattr(error.orig, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_BUSY
            if not busy or time.monotonic() > deadline:
                raise
    connection.exec_driver_sql(f"PRAGMA busy_timeout = {_WAIT_S * 1000}")


def _begin_postgresql(connection: Connection) -> None:
    if connection.get_execution_options().get(_WRITES):
        connection.exec_driver_sql(f"SET LOCAL lock_timeout = '{_WAIT_S}s'")
        connection.exec_driver_sql(f"SET LOCAL idle_in_transaction_session_timeout = '{_IDLE_S}s'")
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_LOCK})")


class Database:
    """What the parts of a store share. Use it in a ``with``."""

    def __init__(self, engine: Engine, address: Address, reports: Path) -> None:
        self._engine = engine
        self._address = address
        self._reports = reports

    @property
    def shown(self) -> str:
        """The store as people may see it: its file, or its URL without the password."""
        return self._address.shown

    @property
    def is_gone(self) -> bool:
        """Whether its file was deleted or moved since it was opened."""
        return self._address.file is not None and not self._address.file.exists()

    def close(self) -> None:
        """Let go of the database."""
        self._engine.dispose()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @contextmanager
    def _reading(self) -> Iterator[Session]:
        with reported_errors(self._address), Session(self._engine, expire_on_commit=False) as session, session.begin():
            yield session

    @contextmanager
    def _writing(self) -> Iterator[Session]:
        with reported_errors(self._address), Session(writer(self._engine)) as session, session.begin():
            yield session

    def _parsed(self, text: str | None, model: type[_Model], what: str, run_id: str) -> _Model:
        """What a run's row holds as JSON."""
        try:
            return model.model_validate_json(text or "")
        except ValidationError as error:
            raise HarnessError("store-row-damaged", where=self.shown, what=what, run_id=run_id) from error

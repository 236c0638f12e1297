"""Connections to the store: one writer at a time, waiting readers never, and every fault told as one message.

Writes are few (one a run) and short, so they take turns: ``BEGIN IMMEDIATE`` on SQLite, an advisory lock on
PostgreSQL. That makes *look, then write* (replace a baseline, upgrade the tables) safe on both in the same way.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection, Engine, NullPool, create_engine, event
from sqlalchemy.exc import ArgumentError, DBAPIError, OperationalError

from harness.errors import HarnessError, how_to_install
from harness.store.address import Address

_WAIT_S = 30
_IDLE_S = 10
"""A runner that freezes, or is cut off, while it writes loses its turn after this, so before others give up waiting."""

_CONNECT_S = 10
_WRITES = "harness_writes"
_LOCK = int.from_bytes(b"harness")
"""PostgreSQL's advisory locks are numbers, each database has its own."""


def connect(address: Address) -> Engine:
    """The engine for ``address``; nothing is opened yet. Raises :class:`HarnessError` where the driver is missing.

    No pool: a run asks the store before its load and again an hour later, and an idle connection would be cut.
    """
    if address.url.get_backend_name() == "sqlite":
        engine = _engine(address, {"timeout": _WAIT_S})
        event.listen(engine, "connect", _leave_transactions_to_us)
        event.listen(engine, "begin", _begin_sqlite)
        return engine
    try:
        engine = _engine(address, {"connect_timeout": _CONNECT_S})
    except ImportError as fault:
        raise HarnessError(
            "the driver for PostgreSQL is not installed",
            where=address.shown,
            hint=how_to_install("postgresql"),
        ) from fault
    event.listen(engine, "begin", _begin_postgresql)
    return engine


def _engine(address: Address, arguments: dict[str, Any]) -> Engine:
    try:
        return create_engine(address.url, poolclass=NullPool, connect_args=arguments)
    except (ValueError, TypeError, ArgumentError) as fault:  # an option after "?" that is none, or has no such value
        raise HarnessError(f"not the URL of a database: {fault}", where=address.shown) from fault


def writer(engine: Engine) -> Engine:
    """The same engine, its transactions excluding each other, in all processes."""
    return engine.execution_options(**{_WRITES: True})


@contextmanager
def reported_errors(address: Address) -> Iterator[None]:
    """Turn a fault of the database into one :class:`HarnessError` that names file or server."""
    try:
        yield
    except DBAPIError as fault:
        lines = address.without_secrets(str(fault.orig)).strip().splitlines()
        message = lines[0] if lines else type(fault.orig).__name__
        if address.url.get_backend_name() == "postgresql":
            hint = "Is the server up, and are user, password and database right? HARNESS_STORE names the store."
        elif isinstance(fault, OperationalError):
            hint = "The file and its folder must be writable, and no other process may hold the file for long."
        else:
            hint = "The file is damaged, or no SQLite file. Move it away and the next run makes a new one."
        raise HarnessError(f"the store cannot be used: {message}", where=address.shown, hint=hint) from fault


def _leave_transactions_to_us(connection: sqlite3.Connection, _record: Any) -> None:
    # Python's sqlite3 would else begin transactions itself, only before some statements: the tables' upgrade would
    # not be one transaction, and "BEGIN IMMEDIATE" could not be said.
    connection.isolation_level = None


def _begin_sqlite(connection: Connection) -> None:
    writes = connection.get_execution_options().get(_WRITES)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def _begin_postgresql(connection: Connection) -> None:
    if connection.get_execution_options().get(_WRITES):
        connection.exec_driver_sql(f"SET LOCAL lock_timeout = '{_WAIT_S}s'")
        connection.exec_driver_sql(f"SET LOCAL idle_in_transaction_session_timeout = '{_IDLE_S}s'")
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_LOCK})")

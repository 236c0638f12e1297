"""Connections to the shop's database: a bounded pool, reads without a transaction, writers that queue.

SQLite has one writer at a time. Its own waiting is a poll with growing sleeps, unfair and slow under load, so
writers of this process queue at a lock of their own before they take a connection; readers (WAL) never wait.
PostgreSQL locks rows, so there its writers only meet where they want the same product.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

from sqlalchemy import Connection, Engine, QueuePool, create_engine, event, make_url
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from harness.shop.errors import ShopStartError

POOL_SIZE = 20
POOL_TIMEOUT_S = 10.0
LOCK_TIMEOUT_S = 10.0
"""How long a writer waits for another process that holds the SQLite file."""


class Database:
    """The shop's one way to its database."""

    def __init__(self, engine: Engine) -> None:
        assert isinstance(engine.pool, QueuePool)
        self._engine = engine
        self._pool = engine.pool
        self._waiting = 0
        self._waiting_lock = threading.Lock()
        self._writer: AbstractContextManager[Any] = nullcontext()
        self._reads, self._writes = {}, {}
        if engine.dialect.name == "sqlite":
            self._writer = threading.Lock()
            self._writes = {"shop_begin": "BEGIN IMMEDIATE"}
        else:
            self._reads = {"isolation_level": "AUTOCOMMIT"}
            self._writes = {"isolation_level": "READ COMMITTED"}

    @classmethod
    def open(cls, url: str, pool_size: int = POOL_SIZE) -> Database:
        """A database at ``url`` (SQLite or PostgreSQL) that answers; raises `ShopStartError` where none does."""
        try:
            parsed = make_url(url)
            if parsed.get_backend_name() not in ("sqlite", "postgresql"):
                raise ShopStartError(f"SHOP_DATABASE_URL: {parsed.get_backend_name()} is neither sqlite nor postgresql")
            if parsed.drivername == "postgresql":
                parsed = parsed.set(drivername="postgresql+psycopg")
            engine = create_engine(
                parsed, poolclass=QueuePool, pool_size=pool_size, max_overflow=0, pool_timeout=POOL_TIMEOUT_S
            )
            if engine.dialect.name == "sqlite":
                event.listen(engine, "connect", _prepare_sqlite_connection)
                event.listen(engine, "begin", _begin_on_sqlite)
            engine.connect().close()
        except SQLAlchemyError as error:
            reason = str(error.__cause__ or error).strip().splitlines()[0]
            raise ShopStartError(f"SHOP_DATABASE_URL: cannot use the database: {reason}") from error
        except ModuleNotFoundError as error:
            raise ShopStartError(
                f"SHOP_DATABASE_URL: the driver {error.name} is not installed: pip install 'harness[postgresql]'"
            ) from error
        return cls(engine)

    @property
    def engine(self) -> Engine:
        """The engine itself, for making tables and for counting statements."""
        return self._engine

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A connection whose every statement sees what is committed when it starts; no transaction is held."""
        with self._counted_wait():
            connection = self._engine.connect()
        with connection:
            yield connection.execution_options(**self._reads)

    @contextmanager
    def write(self) -> Iterator[Session]:
        """A session in a transaction that may write; committed at the end, rolled back when anything is raised."""
        with self._writer, Session(self._engine) as session, session.begin():
            with self._counted_wait():
                session.connection(execution_options=self._writes)
            yield session

    def __str__(self) -> str:
        return self._engine.url.render_as_string(hide_password=True)

    @property
    def pool_size(self) -> int:
        """Connections the pool may hold open."""
        return self._pool.size()

    @property
    def pool_in_use(self) -> int:
        """Connections in use now."""
        return self._pool.checkedout()

    @property
    def pool_waiting(self) -> int:
        """Threads that wait for a connection now."""
        return self._waiting

    def close(self) -> None:
        """Closes every connection."""
        self._engine.dispose()

    @contextmanager
    def _counted_wait(self) -> Iterator[None]:
        with self._waiting_lock:
            self._waiting += 1
        try:
            yield
        finally:
            with self._waiting_lock:
                self._waiting -= 1


def _prepare_sqlite_connection(connection: Any, _record: object) -> None:
    connection.isolation_level = None  # the driver begins nothing on its own; _begin_on_sqlite does
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = NORMAL")
    connection.execute("PRAGMA foreign_keys = ON")
    connection.execute(f"PRAGMA busy_timeout = {int(LOCK_TIMEOUT_S * 1000)}")


def _begin_on_sqlite(connection: Connection) -> None:
    """Writers take SQLite's lock at once: one that read first and wrote later could be refused half-way."""
    if begin := connection.get_execution_options().get("shop_begin"):
        connection.exec_driver_sql(begin)

"""Connections to the shop's database: a bounded pool, reads without a transaction, writers that queue.

SQLite has one writer at a time. Its own waiting is a poll with growing sleeps, unfair and slow under load, so
writers of this process queue at a lock of their own before they take a connection; readers (WAL) never wait.
PostgreSQL locks rows, so there its writers only meet where they want the same product.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from contextvars import ContextVar
from typing import Any

from sqlalchemy import Connection, Engine, QueuePool, create_engine, event, make_url
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from harness.shop.errors import ShopStartError

POOL_SIZE = 20
POOL_TIMEOUT_S = 10.0
LOCK_TIMEOUT_S = 10.0
"""How long a writer waits for another process that holds the SQLite file."""

_BEGIN = "shop_begin"
"""Execution option: the statement that begins a transaction on SQLite; none where each statement stands alone."""


def cannot_use(error: SQLAlchemyError) -> ShopStartError:
    """What to say, in one line, about a database that cannot be opened or filled."""
    reason = str(error.__cause__ or error).strip().splitlines()[0]
    return ShopStartError(f"SHOP_DATABASE_URL: cannot use the database: {reason}")


class Database:
    """The shop's one way to its database."""

    def __init__(self, engine: Engine) -> None:
        assert isinstance(engine.pool, QueuePool)
        self._engine = engine
        self._pool = engine.pool
        self._waiting = 0
        self._waiting_lock = threading.Lock()
        self._writer: AbstractContextManager[Any] = nullcontext()
        self._reads: dict[str, Any]
        self._writes: dict[str, Any]
        self._in_use_here: ContextVar[Connection | None] = ContextVar("connection", default=None)
        if engine.dialect.name == "sqlite":
            self._writer = threading.Lock()
            self._reads = {_BEGIN: None}
            self._writes = {_BEGIN: "BEGIN IMMEDIATE"}
        else:
            self._reads = {"isolation_level": "AUTOCOMMIT"}
            self._writes = {"isolation_level": "READ COMMITTED"}

    @classmethod
    def open(cls, url: str, pool_size: int = POOL_SIZE) -> Database:
        """A database at ``url`` (SQLite or PostgreSQL) ; raises `ShopStartError` if it cannot be used."""
        try:
            parsed = make_url(url)
            if parsed.get_backend_name() not in ("sqlite", "postgresql"):
                raise ShopStartError(f"SHOP_DATABASE_URL: {parsed.get_backend_name()} is neither sqlite nor postgresql")
            if parsed.get_backend_name() == "sqlite" and parsed.database in (None, "", ":memory:"):
                raise ShopStartError("SHOP_DATABASE_URL: SQLite in memory is one database per connection; name a file")
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
            raise cannot_use(error) from error
        except ModuleNotFoundError as error:
            raise ShopStartError(
                f"SHOP_DATABASE_URL: the driver {error.name} is not installed: uv sync --extra postgresql"
            ) from error
        return cls(engine)

    def __str__(self) -> str:
        return self._engine.url.render_as_string(hide_password=True)

    @property
    def engine(self) -> Engine:
        """The engine itself, for whoever wants to listen to its events."""
        return self._engine

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A connection whose every statement sees what is committed when it starts; no transaction is held."""
        with self._connection() as connection:
            yield connection.execution_options(**self._reads)

    @contextmanager
    def write(self) -> Iterator[Session]:
        """A session in a transaction that may write; committed at the end, rolled back when anything is raised."""
        with self._writer, self._connection() as connection:
            connection.execution_options(**self._writes)
            with Session(connection) as session, session.begin():
                yield session

    def take(self) -> Connection:
        """A connection from the pool, waited for if need be; it is the caller's to close."""
        with self._waiting_lock:
            self._waiting += 1
        try:
            return self._engine.connect()
        finally:
            with self._waiting_lock:
                self._waiting -= 1

    @contextmanager
    def use(self, connection: Connection) -> Iterator[None]:
        """Reads and writes of this context (task or thread) go over ``connection``, not over one from the pool each."""
        token = self._in_use_here.set(connection)
        try:
            yield
        finally:
            self._in_use_here.reset(token)

    @contextmanager
    def _connection(self) -> Iterator[Connection]:
        connection = self._in_use_here.get()
        if connection is None:
            with self.take() as connection:
                yield connection
        else:
            try:
                yield connection
            finally:
                connection.rollback()  # as the pool does with a connection that comes back

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


def _prepare_sqlite_connection(connection: Any, _record: object) -> None:
    connection.isolation_level = None  # the driver begins nothing on its own; _begin_on_sqlite does
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = NORMAL")
    connection.execute("PRAGMA foreign_keys = ON")
    connection.execute(f"PRAGMA busy_timeout = {int(LOCK_TIMEOUT_S * 1000)}")


def _begin_on_sqlite(connection: Connection) -> None:
    """Writers take SQLite's lock at once: one that read first and wrote later could be refused half-way."""
    if begin := connection.get_execution_options().get(_BEGIN):
        connection.exec_driver_sql(begin)

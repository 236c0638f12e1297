"""Connections to the shop's database: a bounded pool, reads without a transaction, writers that queue.

SQLite has one writer at a time. Its own waiting is a poll with growing sleeps, unfair and slow under load, so
writers of this process queue at a lock of their own before they take a connection; readers (WAL) never wait.
PostgreSQL locks rows, so there its writers only meet where they want the same product.
"""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, ParamSpec, TypeVar

from sqlalchemy import Connection, Engine, QueuePool, create_engine, event, make_url
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from harness.shop.errors import ShopStartError
from harness.shop.impatience import limit_waits

POOL_SIZE = 20
POOL_TIMEOUT_S = 3.0
CONNECT_TIMEOUT_S = 2
LOCK_TIMEOUT_S = 2.0
"""How long a statement waits for another one's lock, or a writer of SQLite for its turn."""
STARTING_LOCK_TIMEOUT_S = 10.0
"""The same while tables are filled: two shops that start at once on one database take turns."""

Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")

_BEGIN = "shop_begin"
"""Execution option: the statement that begins a transaction on SQLite; none to run each statement on its own."""


def once_more(work: Callable[Parameters, Result]) -> Callable[Parameters, Result]:
    """``work``, made again over a new connection if its connection was lost. It must have the effect of one.

    All others of the pool are then renewed, too. To ask each connection first whether it is still there would cost a
    round trip each time.
    """

    @functools.wraps(work)
    def made(*args: Parameters.args, **kwargs: Parameters.kwargs) -> Result:
        try:
            return work(*args, **kwargs)
        except DBAPIError as error:
            if not error.connection_invalidated:
                raise
        return work(*args, **kwargs)

    return made


def cannot_use(error: SQLAlchemyError) -> ShopStartError:
    """What to say, in one line, about a database that cannot be opened or filled."""
    reason = str(error.__cause__ or error).strip().splitlines()[0]
    return ShopStartError(f"SHOP_DATABASE_URL: cannot use the database: {reason}")


class Database:
    """The shop's one way to its database."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._waiting = 0
        self._waiting_lock = threading.Lock()
        self._writer: threading.Lock | None = None
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
                parsed,
                poolclass=QueuePool,
                pool_size=pool_size,
                max_overflow=0,
                pool_timeout=POOL_TIMEOUT_S,
                connect_args={} if parsed.get_backend_name() == "sqlite" else {"connect_timeout": CONNECT_TIMEOUT_S},
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

    def be_impatient(self) -> None:
        """From now on, no statement takes longer than `LOCK_TIMEOUT_S`; a connection that is silent is given up."""
        sqlite = self._engine.dialect.name == "sqlite"
        event.listen(self._engine, "connect", _limit_sqlite_waits if sqlite else limit_waits(LOCK_TIMEOUT_S))
        self._engine.dispose()

    @property
    def engine(self) -> Engine:
        """The engine itself, to listen to its events."""
        return self._engine

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A connection whose every statement sees what is committed when it starts; no transaction is held."""
        with self._connection() as connection:
            yield connection.execution_options(**self._reads)

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """A connection in a transaction that may write; committed at the end, rolled back when anything is raised."""
        with self._turn(), self._connection() as connection:
            connection.execution_options(**self._writes)
            with connection.begin():
                yield connection

    @contextmanager
    def _turn(self) -> Iterator[None]:
        if self._writer is None:
            yield
            return
        if not self._writer.acquire(timeout=LOCK_TIMEOUT_S):
            raise PoolTimeout(f"no turn to write within {LOCK_TIMEOUT_S:g} s")
        try:
            yield
        finally:
            self._writer.release()

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
    def _pool(self) -> QueuePool:
        assert isinstance(self._engine.pool, QueuePool)
        return self._engine.pool

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
    connection.execute(f"PRAGMA busy_timeout = {int(STARTING_LOCK_TIMEOUT_S * 1000)}")


def _limit_sqlite_waits(connection: Any, _record: object) -> None:
    connection.execute(f"PRAGMA busy_timeout = {int(LOCK_TIMEOUT_S * 1000)}")


def _begin_on_sqlite(connection: Connection) -> None:
    """Writers take SQLite's lock at once: one that read first and wrote later could be refused half-way."""
    if begin := connection.get_execution_options().get(_BEGIN):
        connection.exec_driver_sql(begin)

"""Metrics of PostgreSQL: connections by state, lock waits, its cache, and statements."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from harness.messages import Message, message
from harness.record.redaction import redacted
from harness.record.resources import Line, LineChart
from harness.sources.source import TIMEOUT_S, Source, SourceKind, Values, package_missing, unreachable

if TYPE_CHECKING:
    from psycopg import Connection

_GAUGES = (
    "connections",
    "connections_active",
    "connections_idle",
    "connections_idle_in_transaction",
    "connections_waiting_for_locks",
    "longest_transaction_seconds",
    "max_connections",
)
_COUNTERS = ("commits", "rollbacks", "blocks_hit", "blocks_read", "deadlocks", "temp_bytes")

OWN = "/* harness */ "
"""Marks the harness's own statements, which are not the target's."""
_ACTIVITY = """
SELECT count(*),
       count(*) FILTER (WHERE state = 'active'),
       count(*) FILTER (WHERE state = 'idle'),
       count(*) FILTER (WHERE state LIKE 'idle in transaction%'),
       count(*) FILTER (WHERE wait_event_type = 'Lock'),
       coalesce(extract(epoch FROM max(clock_timestamp() - xact_start)), 0),
       current_setting('max_connections')::int,
       count(*) FILTER (WHERE backend_type IS NULL)
FROM pg_stat_activity
WHERE coalesce(backend_type, 'client backend') = 'client backend' AND datname IS NOT NULL AND pid <> pg_backend_pid()
"""
"""To roles that may not see them, PostgreSQL shows other users' connections without state and type."""
_DATABASE = """
SELECT xact_commit, xact_rollback, blks_hit, blks_read, deadlocks, temp_bytes
FROM pg_stat_database WHERE datname = current_database()
"""
_SCHEMA_OF_STATEMENTS = """
SELECT quote_ident(nspname) FROM pg_extension JOIN pg_namespace ON pg_namespace.oid = extnamespace
WHERE extname = 'pg_stat_statements' AND current_setting('pg_stat_statements.max', true) IS NOT NULL
"""
"""Only a server that has loaded the library has its settings. Not every role may read ``shared_preload_libraries``."""
_STATEMENTS = """
SELECT left(query, 1000), calls, total_exec_time, rows FROM {schema}.pg_stat_statements
WHERE dbid = (SELECT oid FROM pg_database WHERE datname = current_database()) AND query NOT LIKE '/* harness */%'
ORDER BY total_exec_time DESC LIMIT 1000
"""


class PostgresqlSource(Source):
    """Asks one server over a connection of its own, which it does not count."""

    def __init__(self, url: str, _: Sequence[str]) -> None:
        scheme, _, rest = url.partition("://")
        self._url = f"{scheme.partition('+')[0]}://{rest}"  # as SQLAlchemy has it: postgresql+psycopg://
        self._connection: Connection[Any] | None = None
        self._hidden = False

    def read(self) -> Values:
        (*gauges, hidden), counters = self._rows(_ACTIVITY)[0], self._rows(_DATABASE)[0]
        self._hidden |= hidden > 0
        return Values(
            dict(zip(_GAUGES, map(float, gauges), strict=True)), dict(zip(_COUNTERS, map(float, counters), strict=True))
        )

    def statements(self) -> dict[str, list[float]]:
        """Empty if the extension ``pg_stat_statements`` is not in this database."""
        totals: dict[str, list[float]] = {}
        schemas = self._rows(_SCHEMA_OF_STATEMENTS)
        for text, *counts in self._rows(_STATEMENTS.format(schema=schemas[0][0])) if schemas else ():
            one = totals.setdefault(redacted(" ".join(text.split())), [0.0, 0.0, 0.0])
            one[:] = [total + float(count) for total, count in zip(one, counts, strict=True)]
        return totals

    def missing(self) -> list[Message]:
        return [message("postgresql-states-hidden", url=redacted(self._url))] if self._hidden else []

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _rows(self, query: str) -> list[tuple[Any, ...]]:
        try:
            import psycopg
        except ModuleNotFoundError:
            raise package_missing("postgresql") from None
        try:
            if self._connection is None:
                limit = f"-c statement_timeout={round(1000 * TIMEOUT_S)}"
                self._connection = psycopg.connect(
                    self._url,
                    autocommit=True,
                    connect_timeout=round(TIMEOUT_S),
                    options=limit,
                    application_name="harness",
                    tcp_user_timeout=round(1000 * TIMEOUT_S),
                )
            return self._connection.execute((OWN + query).encode()).fetchall()
        except (psycopg.Error, OSError) as error:
            self.close()
            raise unreachable(self._url, error) from None


POSTGRESQL = SourceKind(
    name="postgresql",
    schemes=("postgresql", "postgres", "postgresql+psycopg", "postgresql+psycopg2", "postgresql+asyncpg"),
    example="postgresql://user:$PGPASSWORD@127.0.0.1/shop",
    open=PostgresqlSource,
    series={
        "connections": "connections of clients, of all databases of the server",
        "connections_active": "of these, those that run a statement",
        "connections_idle": "those that wait for one",
        "connections_idle_in_transaction": "those that wait for one while a transaction is open",
        "connections_waiting_for_locks": "those whose statement waits for a lock",
        "longest_transaction_seconds": "the age of the oldest open transaction",
        "max_connections": "how many connections the server takes",
        "commits": "transactions that were committed",
        "rollbacks": "transactions that were rolled back",
        "blocks_hit": "blocks that were found in PostgreSQL's cache",
        "blocks_read": "blocks that were not",
        "deadlocks": "deadlocks",
        "temp_bytes": "bytes written to temporary files, as a sort did not fit into `work_mem`",
    },
    ratios={
        "cache_hit_ratio": "blocks_hit / (blocks_hit + blocks_read)",
        "connections_used_ratio": "connections / max_connections",
    },
    charts=(
        LineChart(
            "",
            "Connections by state",
            (
                Line("", "connections_active", "active", "blue"),
                Line("", "connections_idle", "idle", "grey"),
                Line("", "connections_idle_in_transaction", "idle in a transaction", "orange"),
                Line("", "connections_waiting_for_locks", "waiting for locks", "red"),
            ),
            empty="No client was connected.",
            decimals=0,
        ),
        LineChart(
            "",
            "Connections of those that the server takes",
            (Line("", "connections_used_ratio", "used", "blue", scale=0.01),),
            empty="No client was connected.",
            suffix=" %",
        ),
        LineChart(
            "",
            "Cache hit ratio",
            (Line("", "cache_hit_ratio", "blocks found in the cache", "green", scale=0.01),),
            empty="No block was read.",
            suffix=" %",
        ),
        LineChart(
            "",
            "Transactions",
            (
                Line("", "commits", "committed", "blue"),
                Line("", "rollbacks", "rolled back", "orange"),
                Line("", "deadlocks", "deadlocks", "red"),
            ),
            empty="There was no transaction.",
            note="per second",
            suffix="/s",
        ),
    ),
)

"""Connections to PostgreSQL that faults hold. They end with this process, however it ends, and locks end with them."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from harness.errors import HarnessError
from harness.sources.postgresql import OWN

if TYPE_CHECKING:
    from psycopg import Connection, Cursor

_REFILL_S = 0.1
_LEFT = """
SELECT current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int
    - coalesce(current_setting('reserved_connections', true)::int, 0) - count(*)
FROM pg_stat_activity WHERE datid IS NOT NULL AND usesysid IS NOT NULL
"""
"""``reserved_connections`` is known since version 16."""

_held: dict[str, list[Connection[Any]]] = {}
"""By what they act on."""
_changing = threading.Lock()


def hold(thing: str, connection: Connection[Any]) -> None:
    with _changing:
        _held.setdefault(thing, []).append(connection)


def release(thing: str) -> None:
    """Close those that are held for ``thing``; harmless if there are none."""
    with _changing:
        held = _held.pop(thing, [])
    for connection in held:
        connection.close()


def require_open(thing: str) -> None:
    """Raises ``psycopg.Error`` if the server has closed one of them."""
    with _changing:
        for connection in _held.get(thing, ()):
            for _ in range(2):  # the first may read why the server closes the connection, the second that it has
                connection.pgconn.consume_input()


def keep_full(thing: str, first: Connection[Any], left: int, connect: Callable[[], Connection[Any]]) -> None:
    """From now on hold what other clients close, or a target without a pool would soon be able to connect again.

    ``first`` is one of those held, and ``left`` what :func:`left_on` said when no connection was left.
    """

    def refill() -> None:
        nonlocal left
        import psycopg

        while True:
            time.sleep(_REFILL_S)
            with _changing:
                held = _held.get(thing, [])
                if first not in held:
                    return
                with suppress(psycopg.Error, OSError, HarnessError):  # another client was faster
                    while (now := left_on(first)) > left:
                        held.append(connect())
                    left = now

    threading.Thread(target=refill, daemon=True).start()


def left_on(connection: Connection[Any]) -> int:
    """How many connections the server has left for ordinary roles. Raises ``psycopg.Error``."""
    left = execute(connection, _LEFT).fetchone()
    assert left is not None
    return int(left[0])


def execute(connection: Connection[Any], statement: str, *values: str) -> Cursor[Any]:
    """Run a statement that is not counted as one of the target's."""
    return connection.execute(f"{OWN}{statement}".encode(), values or None)

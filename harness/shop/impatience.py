"""Time limits of PostgreSQL: the server ends long statements, the client leaves a silent server."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator
from typing import Any

_SLACK_S = 1.0
"""How much longer than a statement's time limit the client waits, so that the server's own limit comes first."""


def limit_waits(seconds: float) -> Callable[[Any, object], None]:
    """For SQLAlchemy's event ``connect``: no statement of the connection takes longer.

    The server's ``statement_timeout`` is of no use if the network swallows what is sent, and psycopg has no time limit
    of its own. But it waits in steps of 0.1 s, and each step passes through here.
    """

    def limit(connection: Any, _record: object) -> None:
        connection.execute(f"SET statement_timeout = {int(seconds * 1000)}")
        connection.commit()
        wait = connection.wait

        def wait_for_a_while(waiting: Any, *args: Any, **kwargs: Any) -> Any:
            return wait(_given_up(connection, waiting, seconds + _SLACK_S), *args, **kwargs)

        connection.wait = wait_for_a_while

    return limit


def _given_up(connection: Any, waiting: Generator[Any, Any, Any], seconds: float) -> Generator[Any, Any, Any]:
    """``waiting``, psycopg's generator that is sent what is ready; raises if for so many seconds nothing is."""
    import psycopg

    deadline_s = time.monotonic() + seconds
    try:
        wanted = next(waiting)
        while True:
            ready = yield wanted
            if ready:
                deadline_s = time.monotonic() + seconds
            elif time.monotonic() > deadline_s:
                connection.close()
                raise psycopg.OperationalError(f"no response within {seconds:g} s")
            wanted = waiting.send(ready)
    except StopIteration as ended:
        return ended.value

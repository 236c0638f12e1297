"""What a thread waits for is read from its innermost frames, and only waits of requests count."""

from __future__ import annotations

import pytest

from harness.analysis.wait_kinds import wait_of

THREAD = ("Thread._bootstrap (threading.py:1002)", "Thread.run (threading.py:982)")
SERVED = (*THREAD, "WorkerThread.run (anyio/_backends/_asyncio.py:1124)", "get_stock (shop/db.py:31)")
OWN = {"shop/db.py", "shop/__main__.py"}
CONDITION = "Condition.wait (threading.py:327)"


@pytest.mark.parametrize(
    ("inner", "kind", "what"),
    [
        (("[lock]",), "lock", ""),
        (("acquire (threading.py:180)",), "lock", ""),
        (("Pool._do_get (sqlalchemy/pool/impl.py:160)", "Queue.get (sqlalchemy/util/queue.py:90)", CONDITION), "pool",
         "SQLAlchemy pool"),
        (("getconn (psycopg_pool/pool.py:200)", CONDITION, "[lock]"), "pool", "psycopg pool"),
        (("_get_conn (urllib3/connectionpool.py:260)", "LifoQueue.get (queue.py:171)", CONDITION), "pool",
         "urllib3 pool"),
        (("Queue.get (queue.py:171)", CONDITION), "queue", ""),
        (("execute (psycopg/cursor.py:97)", "Connection.wait (psycopg/connection.py:484)"), "downstream", "database"),
        (("get (requests/api.py:7)", "urlopen (urllib3/connectionpool.py:700)", "readinto (socket.py:700)"),
         "downstream", "HTTP"),
        (("get (redis/client.py:5)", "_read_from_socket (redis/_parsers/socket.py:60)", "[socket]"), "downstream",
         "Redis"),
        (("[sleep]",), "sleep", ""),
    ],
)  # fmt: skip
def test_what_a_request_waits_for(inner: tuple[str, ...], kind: str, what: str) -> None:
    found = wait_of((*SERVED, *inner), OWN)
    assert found is not None
    assert (found.kind, found.what) == (kind, what)
    assert (found.place.function, found.place.file, found.place.line) == ("get_stock", "shop/db.py", 31)


@pytest.mark.parametrize(
    "frames",
    [
        (*THREAD, "WorkerThread.run (anyio/_backends/_asyncio.py:1113)", "Queue.get (queue.py:171)", CONDITION),
        ("<module> (shop/__main__.py:9)", "Server.run (uvicorn/server.py:60)", "select (selectors.py:468)"),
        (*THREAD, "refresh_forever (shop/db.py:80)", "[sleep]"),
        ("<module> (uvicorn:10)", "take_forever (shop/db.py:90)", "[lock]"),
        SERVED,
        (*SERVED, "dumps (json/encoder.py:200)"),
    ],
    ids=["idle worker", "event loop", "background thread", "started by a script", "own code", "library code"],
)
def test_what_is_not_a_wait_of_a_request(frames: tuple[str, ...]) -> None:
    assert wait_of(frames, OWN) is None

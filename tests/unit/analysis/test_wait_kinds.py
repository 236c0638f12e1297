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


SERVED_TASK = (
    "task",
    "RequestResponseCycle.run_asgi (uvicorn/protocols/http/h11_impl.py:411)",
    "run_endpoint_function (fastapi/routing.py:381)",
    "get_stock (shop/db.py:31)",
)
QUEUE = "Queue.get (asyncio/queues.py:158)"
EVENT = "Event.wait (asyncio/locks.py:213)"


@pytest.mark.parametrize(
    ("inner", "kind", "what"),
    [
        (("PoolAcquireContext.__aenter__ (asyncpg/pool.py:1182)", "Pool._acquire (asyncpg/pool.py:1014)", QUEUE),
         "pool", "asyncpg pool"),
        (("AsyncSession.execute (sqlalchemy/ext/asyncio/session.py:652)",
          "greenlet_spawn (sqlalchemy/util/concurrency.py:209)", "wait_for (sqlalchemy/util/compat.py:334)", QUEUE),
         "pool", "SQLAlchemy pool"),
        (("WaitingClient.wait (psycopg_pool/pool_async.py:972)", "wait_for (asyncio/tasks.py:476)",
          "Condition.wait (asyncio/locks.py:267)"), "pool", "psycopg pool"),
        (("Redis.execute_command (redis/asyncio/client.py:929)",
          "BlockingConnectionPool.get_connection (redis/asyncio/connection.py:3086)",
          "Condition.wait_for (asyncio/locks.py:294)", "Condition.wait (asyncio/locks.py:267)"), "pool", "Redis pool"),
        (("AsyncClient.get (httpx/_client.py:1768)", "AsyncEvent.wait (httpcore/_synchronization.py:151)",
          "Event.wait (anyio/_backends/_asyncio.py:2009)", EVENT), "pool", "HTTP pool"),
        (("ClientSession._request (aiohttp/client.py:900)", "BaseConnector.connect (aiohttp/connector.py:645)",
          "BaseConnector._wait_for_available_connection (aiohttp/connector.py:717)"), "pool", "HTTP pool"),
        (("run_sync (anyio/to_thread.py:65)", "CapacityLimiter.acquire_on_behalf_of (anyio/_backends/_asyncio.py:2271)",
          EVENT), "pool", "thread pool"),
        (("Connection.fetch (asyncpg/connection.py:717)", "bind_execute (asyncpg/protocol/protocol.pyx)"),
         "downstream", "database"),
        (("AbstractConnection.read_response (redis/asyncio/connection.py:1286)",
          "StreamReader._wait_for_data (asyncio/streams.py:540)"), "downstream", "Redis"),
        (("ClientResponse.start (aiohttp/client_reqrep.py:745)", "DataQueue.read (aiohttp/streams.py:716)"),
         "downstream", "HTTP"),
        (("Connection._execute (aiosqlite/core.py:160)",), "downstream", "database"),
        (("StreamReader._wait_for_data (asyncio/streams.py:540)",), "downstream", "socket"),
        (("_ContextManagerMixin.__aenter__ (asyncio/locks.py:15)", "Lock.acquire (asyncio/locks.py:114)"), "lock", ""),
        ((QUEUE,), "queue", ""),
        (("sleep (asyncio/tasks.py:605)",), "sleep", ""),
        (("sleep (anyio/_core/_eventloop.py:99)", "sleep (asyncio/tasks.py:649)"), "sleep", ""),
    ],
)  # fmt: skip
def test_what_a_task_of_a_request_waits_for(inner: tuple[str, ...], kind: str, what: str) -> None:
    found = wait_of((*SERVED_TASK, *inner), OWN)
    assert found is not None
    assert (found.kind, found.what) == (kind, what)
    assert (found.place.function, found.place.file, found.place.line) == ("get_stock", "shop/db.py", 31)


SERVER_TASK = "Server.serve (uvicorn/server.py:90)"
SLEEP = "sleep (asyncio/tasks.py:605)"


@pytest.mark.parametrize(
    "frames",
    [
        ("task", SERVER_TASK, "Server.main_loop (uvicorn/server.py:248)", SLEEP),
        ("task", "refresh_forever (shop/db.py:80)", SLEEP),
        ("task", "TaskHandle._run_coro (anyio/_core/_tasks.py:327)", "refresh_forever (shop/db.py:80)", SLEEP),
        (*SERVED_TASK, "to_thread (asyncio/threads.py:25)"),
        (*SERVED_TASK, "BaseHTTPMiddleware.call_next (starlette/middleware/base.py:150)",
         "MemoryObjectReceiveStream.receive (anyio/streams/memory.py:120)", EVENT),
        (*SERVED_TASK, "Request.body (starlette/requests.py:243)", EVENT),
        (*SERVED_TASK, "BaseRequest.read (aiohttp/web_request.py:662)", "StreamReader.readany (aiohttp/streams.py:43)"),
        (*SERVED_TASK[:3], "BackgroundTask.__call__ (starlette/background.py:20)", SERVED_TASK[3], SLEEP),
        (*SERVED_TASK, "gather (asyncio/tasks.py:800)", "[part 1]", "ask (shop/db.py:50)", SLEEP),
        SERVED_TASK,
    ],
    ids=["server", "background task", "anyio task", "its thread", "its other task", "its client", "its body",
         "after its response", "another part", "own future"],
)  # fmt: skip
def test_what_is_not_a_wait_of_a_requests_task(frames: tuple[str, ...]) -> None:
    assert wait_of(frames, OWN) is None


def test_a_request_whose_code_is_to_run_in_a_thread_may_wait_for_one() -> None:
    """There is no own code on its stack yet."""
    into_thread = "run_in_threadpool (starlette/concurrency.py:32)"
    limiter = "CapacityLimiter.acquire_on_behalf_of (anyio/_backends/_asyncio.py:2271)"
    found = wait_of((*SERVED_TASK[:3], into_thread, "run_sync (anyio/to_thread.py:65)", limiter, EVENT), OWN)
    assert found is not None
    assert (found.kind, found.what, found.place.function) == ("pool", "thread pool", "run_in_threadpool")


def test_requests_that_a_server_runs_in_one_group_all_wait() -> None:
    group = ("task", "worker_serve (hypercorn/asyncio/run.py:90)", "TaskGroup.__aexit__ (asyncio/taskgroups.py:110)")
    for part in ((), ("[part 1]",), ("[part 2]",)):
        found = wait_of((*group, *part, *SERVED_TASK[2:], SLEEP), OWN)
        assert found is not None
        assert found.kind == "sleep"


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

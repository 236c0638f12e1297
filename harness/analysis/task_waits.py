"""What a task of an event loop waits for, by the functions that it awaits below the target's own code.

It waits for certain, so which library it is in is enough, and no source line is read. It does not count if it waits
for a thread, which is sampled itself, or for the client or another part of its own request (a framework's functions).
"""

from __future__ import annotations

import re
from collections.abc import Sequence

THREAD_POOL = "thread pool"
_THREADS = re.compile(r"anyio/.* acquire_on_behalf_of$")
"""Waits for its turn, not for the thread."""
_ANYIO = "anyio/"
_POOLS = (
    ("SQLAlchemy pool", re.compile(r"sqlalchemy/")),
    ("asyncpg pool", re.compile(r"asyncpg/pool\.py ")),
    ("psycopg pool", re.compile(r"psycopg_pool/")),
    ("MySQL pool", re.compile(r"(aiomysql|asyncmy)/pool\.py ")),
    ("MongoDB pool", re.compile(r"pymongo/asynchronous/pool\.py ")),
    ("Redis pool", re.compile(r"redis/asyncio/connection\.py get_connection$")),
    ("HTTP pool", re.compile(r"httpcore/|aiohttp/connector\.py _wait_for_available_connection$")),
)
"""Where these wait for a lock or a queue, it is for a connection."""
_TURNS = re.compile(r"asyncio/(locks|queues)\.py |aiohttp/connector\.py _wait_for_available_connection$")
_DOWNSTREAMS = (
    ("Redis", re.compile(r"redis/")),
    (
        "database",
        re.compile(r"(asyncpg|psycopg|sqlalchemy|aiosqlite|aiomysql|asyncmy|aiopg|aioodbc|motor|pymongo|oracledb)/"),
    ),
    ("gRPC", re.compile(r"grpc/")),
    ("HTTP", re.compile(r"(httpx|httpcore|aiohttp/(client|connector|streams))[_/.]?")),
    ("subprocess", re.compile(r"asyncio/(base_)?subprocess\.py ")),
    ("socket", re.compile(r"asyncio/(streams|sslproto|selector_events|base_events)\.py |anyio/.*/_sockets\.py ")),
)
_FRAMEWORKS = re.compile(
    r"(uvicorn|hypercorn|daphne|granian|gunicorn|starlette|fastapi|aiohttp/web|sanic|quart|tornado)[_/.]"
)
_OWN_CLIENT = re.compile(r"aiohttp/web_request\.py ")
"""Reads the body of its request by the functions that also read a downstream service's response."""
_AFTER_RESPONSE = re.compile(r"(starlette/background|litestar/background_tasks)\.py ")
_SLEEPS = re.compile(r"(asyncio/tasks|anyio/.*)\.py sleep$")
_LOCKS = re.compile(r"asyncio/locks\.py ")
_QUEUES = re.compile(r"asyncio/queues\.py |anyio/streams/memory\.py ")


def is_after_response(names: Sequence[str]) -> bool:
    """Whether the client has its response already."""
    return any(map(_AFTER_RESPONSE.match, names))


def wants_thread(names: Sequence[str]) -> int | None:
    """Where a task waits for a free worker thread: in a framework's function, if own code is to run in the thread."""
    if not any(map(_THREADS.match, names)):
        return None
    first = next(at for at, name in enumerate(names) if name.startswith(_ANYIO))
    return first - 1 if first else None


def kind_of(inner: Sequence[str]) -> tuple[str, str]:
    """The kind of wait and of what, of the functions below the own code, each ``file function``; ("", "") if none."""
    if not inner:
        return "", ""
    if any(map(_THREADS.match, inner)):
        return "pool", THREAD_POOL
    if _TURNS.match(inner[-1]) and (pool := _first(_POOLS, inner)):
        return "pool", pool
    if _SLEEPS.match(inner[-1]):
        return "sleep", ""
    if any(map(_OWN_CLIENT.match, inner)):
        return "", ""
    if downstream := _first(_DOWNSTREAMS, inner):
        return "downstream", downstream
    if any(map(_FRAMEWORKS.match, inner)):
        return "", ""
    if _LOCKS.match(inner[-1]):
        return "lock", ""
    return ("queue", "") if _QUEUES.match(inner[-1]) else ("", "")


def _first(named: Sequence[tuple[str, re.Pattern[str]]], inner: Sequence[str]) -> str:
    return next((name for name, pattern in named if any(map(pattern.match, inner))), "")

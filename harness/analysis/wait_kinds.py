"""What a sleeping thread, or a task of an event loop that waits, waits for, by its stack.

Only waits of requests count: there must be a function of the target's own code, below a library or server that called
it. A worker thread that waits for work has none, and neither has an event loop.

The innermost frames say what kind of wait it is. A call into C has no frame of its own; what the source line says then
stands as a last frame ``[lock]`` (:mod:`harness.sampling.wait_hints`). A thread that sleeps on another line waits for
the GIL, or does not sleep any more.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from harness.analysis.functions import Frame, parse_frame
from harness.analysis.task_waits import is_after_response, kind_of, wants_thread
from harness.record.profiles import TASK

_ROOTS = re.compile(r"^(threading\.py|runpy\.py|<.*>|multiprocessing/|asyncio/|(.*/)?[^/.]+$)")
"""What is around any code, whether it serves requests or not. A file without an ending is a script (``uvicorn``)."""
_ANYIO_TASK = re.compile(r".*\b(_run_coro|_run_wrapped_task)")
"""What is around each task of anyio, by function: threads that it started do serve requests."""
_LOCKS = re.compile(
    r"^(threading|queue|sqlalchemy/util/queue|multiprocessing/synchronize|httpcore/_synchronization)\.py$"
)
_POOLS = (
    ("SQLAlchemy pool", re.compile(r"^sqlalchemy/(pool/|util/queue\.py)")),
    ("psycopg pool", re.compile(r"^psycopg_pool/")),
    ("Django connection pool", re.compile(r"^django/db/backends/.*pool")),
    ("Redis pool", re.compile(r"^redis/connection\.py")),
    ("urllib3 pool", re.compile(r"^urllib3/connectionpool\.py")),
    ("HTTP pool", re.compile(r"^httpcore/")),
    ("DBUtils pool", re.compile(r"^dbutils/", re.IGNORECASE)),
)
_DOWNSTREAMS = (
    ("Redis", re.compile(r"^redis/")),
    (
        "database",
        re.compile(r"^(psycopg|psycopg2|pymysql|MySQLdb|mysql|oracledb|pymongo|pymssql|sqlalchemy/engine)[/.]?"),
    ),
    ("HTTP", re.compile(r"^(urllib3|requests|httpx|httpcore|aiohttp|http/client|urllib/request)")),
    ("subprocess", re.compile(r"^subprocess\.py")),
    ("socket", re.compile(r"^(socket|ssl|selectors)\.py$")),
)
_BLOCKING = (
    re.compile(
        r"^(socket|ssl|selectors|subprocess)\.py .*(recv|send|read|write|connect|select|poll|wait|do_handshake)"
    ),
    re.compile(r"^psycopg/.* (\w+\.)?(wait\w*|_?execute\w*|connect|fetch\w*|commit|rollback)$"),
    re.compile(r"^sqlalchemy/engine/default\.py (\w+\.)?do_(execute|commit|rollback|ping|begin)\w*$"),
)
"""``file function`` in which a thread waits for what is downstream, without a line that says so."""
_LATER_PART = re.compile(r"\[part \d+\]")
"""What a request awaits beside another task, in stacks of tasks."""
_HINT = re.compile(r"\[(\w+)\]")


@dataclass(frozen=True, slots=True)
class Wait:
    """What a thread waits for, and the innermost function of the target's own code that does."""

    kind: str
    what: str
    place: Frame
    blocks_loop: bool = False
    """Whether it is on the thread of an event loop, which serves no other request meanwhile."""

    @property
    def key(self) -> tuple[str, str, str]:
        return self.kind, self.what, self.place.key


def is_hint(frame: str) -> bool:
    """Whether this last frame says what its line waits for."""
    return _HINT.fullmatch(frame) is not None


def wait_of(frames: Sequence[str], own: Collection[str]) -> Wait | None:
    """What a thread with this stack waits for if it sleeps; None if it serves no request, or if that is not known."""
    if frames[0] == TASK:
        return _wait_of_task([parse_frame(text) for text in frames[1:]], own)
    *_, last = frames
    hinted = _HINT.fullmatch(last)
    stack = [parse_frame(text) for text in (frames[:-1] if hinted else frames)]
    at = serving(stack, own)
    if at is None:
        return None
    inner = stack[at + 1 :]
    kind, what = _kind(inner, hinted[1] if hinted else "")
    outer = {_short(frame.file) for frame in stack[:at]}
    blocks_loop = "threading.py" not in outer and any(file.startswith("asyncio/") for file in outer)
    return Wait(kind, what, stack[at], blocks_loop) if kind else None


def _wait_of_task(stack: Sequence[Frame], own: Collection[str]) -> Wait | None:
    names = [f"{_short(frame.file)} {frame.function.rpartition('.')[2]}" for frame in stack]
    at = serving(stack, own)
    if at is None:
        at = wants_thread(names)
    if at is None or is_after_response(names) or _is_later_part(stack, own):
        return None
    kind, what = kind_of(names[at + 1 :])
    return Wait(kind, what, stack[at]) if kind else None


def _is_later_part(stack: Sequence[Frame], own: Collection[str]) -> bool:
    """Whether its request waits for several tasks at once, and this is not the first one: they wait at the same time.

    A server may wait for all its requests in the same way, but that is not below the own code.
    """
    parts = [at for at, frame in enumerate(stack) if _LATER_PART.fullmatch(frame.function)]
    return any(serving(stack[:at], own) is not None for at in parts)


def serving(stack: Sequence[Frame], own: Collection[str]) -> int | None:
    """Where the innermost function of the own code is, if a library or server called it; else None."""
    at = next((at for at in reversed(range(len(stack))) if stack[at].file in own), None)
    return at if at is not None and any(_dispatches(frame, own) for frame in stack[:at]) else None


def _dispatches(frame: Frame, own: Collection[str]) -> bool:
    if not frame.file or frame.file in own or _ANYIO_TASK.fullmatch(frame.function):
        return False
    return not _ROOTS.match(_short(frame.file))


def _kind(inner: Sequence[Frame], hint: str) -> tuple[str, str]:
    """The kind of wait of a stack below the own code, and of what; ("", "") if none is known."""
    files = [_short(frame.file) for frame in inner]
    leaf = inner[-1] if inner else None
    downstream = next((name for name, pattern in _DOWNSTREAMS for file in files if pattern.match(file)), "")
    if leaf is not None and any(pattern.match(f"{files[-1]} {leaf.function}") for pattern in _BLOCKING):
        return "downstream", downstream or "socket"
    if (files and _LOCKS.match(files[-1])) or hint == "lock":
        pool = next((name for name, pattern in _POOLS for file in files if pattern.match(file)), "")
        if pool:
            return "pool", pool
        return ("queue", "") if "queue.py" in files else ("lock", "")
    match hint:
        case "database" | "socket":
            return "downstream", downstream or hint
        case "sleep" | "disk":
            return hint, ""
    return "", ""


def _short(file: str) -> str:
    """A path relative to the standard library's folder."""
    return re.sub(r"^.*lib/python3[.\d]*t?/(?!site-packages|dist-packages)", "", file)

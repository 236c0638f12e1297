"""What the tasks of this process's event loops wait for: the stacks of their coroutines.

A coroutine that waits is on no thread's stack, so a sampler of threads cannot see it. Here the chain of what each one
awaits is followed from outside, by the attributes that :mod:`inspect` documents. It needs only the standard library.
"""

from __future__ import annotations

import gc
import sys
import time
from collections import Counter
from random import randrange
from types import CoroutineType
from typing import Any

_MOST_TASKS = 200
"""So many are looked at; of more, every second or third, which then counts for as many."""
_DEEPEST = 200
_PARTS = (("cr_frame", "cr_await"), ("gi_frame", "gi_yieldfrom"), ("ag_frame", "ag_await"))
"""By kind of awaitable (coroutine, generator, asynchronous generator): its frame, and what it awaits."""
_OPAQUE = {"coroutine_wrapper", "async_generator_asend", "async_generator_athrow", "FutureIter"}
"""Types that stand between them and have no such attributes, but refer to what they await."""
_SETS = ("_all_tasks", "_scheduled_tasks", "_eager_tasks")
"""Of all tasks, by their names in different versions of Python."""
_ATTEMPTS = 100
_JOINS = {"wait_for": ("fut", ""), "_wait": ("fs", ""), "__aexit__": ("self", "_tasks")}
"""Functions of asyncio and anyio that wait for tasks: the variable that has them, and its attribute."""
_frames: dict[tuple[int, int], tuple[str, Any]] = {}
"""How a frame is written, by its code's id and its last instruction; with the code, so that the id stays its own."""
_MOST_FRAMES = 10_000


def look(ignored: list[Any]) -> dict[str, Any]:
    """``stacks``: how many tasks wait with each, the root first, as py-spy writes them; ``cost_s``: what that took.

    Tasks of the ``ignored`` event loops are left out. A task that waits for others is not counted itself: its stack
    continues with theirs. In those of the second one and all later ones, a frame ``[part NUMBER]`` stands in between.

    Before Python 3.12, a garbage collection may begin wherever an object is made, as when a frame is looked at. Other
    threads may then run, and the frame may be gone. So nothing is collected meanwhile.
    """
    began_s = time.thread_time()
    asyncio = sys.modules.get("asyncio")
    tasks = [] if asyncio is None else _tasks(asyncio, ignored)
    stacks: Counter[str] = Counter()
    if tasks:
        collects = gc.isenabled() and sys.version_info < (3, 12)
        if collects:
            gc.disable()
        try:
            stacks = _waiting(asyncio, tasks)
        finally:
            if collects:
                gc.enable()
    if len(_frames) > _MOST_FRAMES:  # of code that is generated again and again
        _frames.clear()
    return {"stacks": stacks, "cost_s": time.thread_time() - began_s}


def running_loops() -> list[Any]:
    """The event loops that have tasks."""
    tasks = _tasks(sys.modules["asyncio"], [])
    return list({id(task.get_loop()): task.get_loop() for task in tasks}.values())


def _tasks(asyncio: Any, ignored: list[Any]) -> list[Any]:
    """Those of all event loops that run.

    Before Python 3.14, they are in sets of asyncio's own; since then, only their own thread sees them. To look for
    event loops on the stacks of other threads is not safe: it made a target crash.
    """
    found: set[Any] = set()
    for name in _SETS:
        for _ in range(_ATTEMPTS):
            try:
                found.update(getattr(asyncio.tasks, name, ()))
                break
            except RuntimeError:  # it has changed meanwhile
                continue
    return [
        task
        for task in found
        if not task.done() and (loop := task.get_loop()).is_running() and not any(loop is each for each in ignored)
    ]


def _waiting(asyncio: Any, tasks: list[Any]) -> Counter[str]:
    """The stacks of those tasks that wait."""
    step = -(-len(tasks) // _MOST_TASKS) or 1
    walked = {task: _walk(asyncio, task.get_coro()) for task in tasks[randrange(step) :: step]}
    joined = {other for _, others in walked.values() for other in others}
    stacks: Counter[str] = Counter()
    seen = set()
    rest: list[tuple[Any, list[str]]] = [(task, []) for task in walked if task not in joined]
    while rest:
        task, outer = rest.pop()
        if task in seen:
            continue
        seen.add(task)
        stack, others = walked.get(task) or _walk(asyncio, task.get_coro())
        parts = [other for other in others if other in walked] if len(others) > 1 else others
        if stack and not parts:
            stacks[";".join((*outer, *stack))] += step
        for number, part in enumerate(parts):
            rest.append((part, [*outer, *stack, *([f"[part {number}]"] if number else [])]))
    return stacks


def _walk(asyncio: Any, awaited: Any) -> tuple[list[str], list[Any]]:
    """The functions of a chain of awaitables, and the tasks that the innermost waits for; none if it does not wait."""
    stack: list[str] = []
    frame = None
    for _ in range(_DEEPEST):
        if type(awaited) is CoroutineType:  # as most are, so this is quicker
            frame, awaited = awaited.cr_frame, awaited.cr_await
            if frame is not None:
                stack.append(_written(frame))
            continue
        if awaited is None or asyncio.isfuture(awaited):
            break
        names = next((names for names in _PARTS if hasattr(type(awaited), names[1])), None)
        if names is not None:
            frame, awaited = getattr(awaited, names[0], None), getattr(awaited, names[1])
            if frame is not None:
                stack.append(_written(frame))
        elif type(awaited).__name__ in _OPAQUE:
            awaited = next((each for each in gc.get_referents(awaited) if _is_awaitable(asyncio, each)), None)
        else:
            break
    if awaited is None or (asyncio.isfuture(awaited) and awaited.done()):
        return [], []  # it runs, or is about to
    return stack, [
        task for task in _joined(asyncio, frame, awaited) if isinstance(task, asyncio.Task) and not task.done()
    ]


def _is_awaitable(asyncio: Any, thing: Any) -> bool:
    kind = type(thing)
    return asyncio.isfuture(thing) or kind.__name__ in _OPAQUE or any(hasattr(kind, name) for _, name in _PARTS)


def _joined(asyncio: Any, frame: Any, awaited: Any) -> list[Any]:
    """What a task waits for where it awaits ``awaited``.

    That is a task itself, ``gather`` with its parts, or what the innermost function, such as ``wait_for``, has in a
    variable.
    """
    if isinstance(awaited, asyncio.Task):
        return [awaited]
    parts = getattr(awaited, "_children", None)
    if parts is not None:
        return list(parts)
    if frame is None or frame.f_code.co_name not in _JOINS:
        return []
    name, attribute = _JOINS[frame.f_code.co_name]
    kept = frame.f_locals.get(name)
    if attribute:
        from inspect import getattr_static  # asyncio has imported it

        kept = getattr_static(kept, attribute, None)  # of an object of the target's own, it may be computed
    return [kept] if isinstance(kept, asyncio.Task) else list(kept) if isinstance(kept, (set, list)) else []


def _written(frame: Any) -> str:
    """As py-spy writes it. The line is found only once for each place: that takes longer than all else."""
    code = frame.f_code
    key = (id(code), frame.f_lasti)
    known = _frames.get(key)
    if known is None:
        line = frame.f_lineno
        where = code.co_filename if line is None else f"{code.co_filename}:{line}"  # as in Cython's code
        text = f"{getattr(code, 'co_qualname', code.co_name)} ({where})".replace(";", ",").replace("\n", " ")
        known = _frames[key] = (text, code)
    return known[0]

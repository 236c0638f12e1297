"""Rejects task weights that would fill the memory, because Locust lists a task once per unit."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from importlib import import_module
from typing import Any

MOST = 1_000_000


@cache
def bound_task_weights() -> None:
    """Let the definition of a class raise ``ValueError`` if one of its tasks has a weight above :data:`MOST`."""
    users = vars(import_module("locust.user.users"))
    tasks = vars(import_module("locust.user.task"))  # as an attribute of locust.user, it is the decorator
    collect = tasks["get_tasks_from_base_classes"]

    def collect_bounded(bases: Any, members: dict[str, Any]) -> Any:
        for name, weight in _weights(members):
            if isinstance(weight, int) and weight > MOST:
                raise ValueError(f"the weight of task {name} is {weight:,}; the maximum is {MOST:,}")
        return collect(bases, members)

    tasks["get_tasks_from_base_classes"] = users["get_tasks_from_base_classes"] = collect_bounded


def _weights(members: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    tasks = members.get("tasks") or ()
    pairs = tasks.items() if isinstance(tasks, dict) else (each for each in tasks if isinstance(each, tuple))
    for function, weight in pairs:
        yield getattr(function, "__name__", repr(function)), weight
    for name, member in members.items():
        if "locust_task_weight" in dir(member):  # as Locust asks: some objects raise on any getattr
            yield name, member.locust_task_weight

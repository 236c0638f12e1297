"""What makes a user class unable to run although Locust imports it, told before the target is started."""

from __future__ import annotations

import inspect
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import locust
from locust import MarkovTaskSet, TaskSet, User

from harness.engine.locust.event_hooks import listeners_of
from harness.engine.scenario.child_result import one_line
from harness.engine.scenario.scenario_file import ScenarioFile

Fault = dict[str, str]
"""``message``, ``where`` and ``hint``."""

_CHANGERS = (locust.events.init, locust.events.test_start)
"""Events whose listeners may give classes their tasks before any user runs."""


def user_faults(scenario: ScenarioFile, user_classes: Sequence[type[User]], path: Path) -> list[Fault]:
    """Everything that is wrong with these user classes. Abstract classes are not among them."""
    faults: list[Fault] = []
    for name, count in Counter(user_class.__name__ for user_class in user_classes).items():
        if count > 1:
            places = [_place(user_class, path) for user_class in user_classes if user_class.__name__ == name]
            others = "".join(f"; the other is at {place}" for place in dict.fromkeys(places[1:]) if place != places[0])
            faults.append(
                _fault(
                    f"two user classes are named {name}",
                    places[0],
                    "Each needs a name of its own; a second name for the same class (B = A) counts, too" + others + ".",
                )
            )
    given_later = _mention_tasks([*_listeners(), *_functions(scenario.modules)])
    checked: set[type] = set()
    for user_class in user_classes:
        if user_class not in checked:
            checked.add(user_class)
            faults += _task_faults(user_class, path, checked, given_later=given_later)
    if user_classes and not any(user_class.weight > 0 or user_class.fixed_count > 0 for user_class in user_classes):
        names = ", ".join(user_class.__name__ for user_class in user_classes)
        faults.append(
            _fault(
                f"no user class has a weight: {names}",
                _place(user_classes[0], path),
                "Give one of them a weight over 0, or a fixed_count.",
            )
        )
    return faults


def _task_faults(
    holder: type[User] | type[TaskSet], path: Path, checked: set[type], *, given_later: bool
) -> list[Fault]:
    """What is wrong with the tasks of a user class, or of a ``TaskSet`` in it, and in those in that."""
    faults: list[Fault] = []
    name, place = holder.__name__, _place(holder, path)
    for task in {id(task): task for task in holder.tasks}.values():
        if not callable(task):
            faults.append(
                _fault(
                    f"tasks of {name} holds {task!r}, which is no task",
                    place,
                    "A task is a function that takes the user, or a TaskSet class.",
                )
            )
        elif isinstance(task, type) and issubclass(task, TaskSet) and task not in checked:
            checked.add(task)
            faults += _task_faults(task, path, checked, given_later=given_later)
    if holder.tasks or given_later or _makes_own_tasks(holder):
        return faults
    if issubclass(holder, User):
        hint = "Put @task before a method (a weight of 0 makes it none), or set abstract = True in a base class."
    else:
        hint = "Put @task before a method of this TaskSet (a weight of 0 makes it none), or give it a list, tasks."
    return [*faults, _fault(f"{name} has no task", place, hint)]


def _makes_own_tasks(holder: type[User] | type[TaskSet]) -> bool:
    """Whether it may get on without tasks of its class: it chooses them itself, or a method has to do with tasks."""
    if issubclass(holder, MarkovTaskSet) or holder.run not in (User.run, TaskSet.run):
        return True
    if issubclass(holder, TaskSet) and not _is_locusts(holder.get_next_task):
        return True
    return _mention_tasks(
        method
        for base in holder.__mro__
        if not _is_locusts(base)
        for method in vars(base).values()
        if inspect.isfunction(method)
    )


def _is_locusts(thing: Any) -> bool:
    return str(thing.__module__).partition(".")[0] == "locust"


def _listeners() -> list[Any]:
    return [listener for event in _CHANGERS for listener in listeners_of(event) if inspect.isfunction(listener)]


def _functions(modules: Iterable[ModuleType]) -> list[Any]:
    return [
        value
        for module in modules
        for value in vars(module).values()
        if inspect.isfunction(value) and value.__module__ == module.__name__
    ]


def _mention_tasks(functions: Iterable[Any]) -> bool:
    return any("tasks" in function.__code__.co_names for function in functions)


def _fault(message: str, where: str, hint: str) -> Fault:
    return {"message": one_line(message), "where": where, "hint": hint}


def _place(holder: type, path: Path) -> str:
    """``file:line`` of a class, or the scenario: a class may have been made by a function, or without a file."""
    try:
        return f"{inspect.getsourcefile(holder)}:{inspect.getsourcelines(holder)[1]}"
    except (OSError, TypeError):
        return str(path)

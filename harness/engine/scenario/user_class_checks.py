"""Finds user classes that Locust imports but cannot run, before the target is started."""

from __future__ import annotations

import inspect
import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import locust
from locust import MarkovTaskSet, TaskSet, User

from harness.engine.http.user import HttpUser
from harness.engine.locust.listeners import listeners_of
from harness.engine.scenario.child_result import one_line
from harness.engine.scenario.scenario_file import ScenarioFile
from harness.errors import HarnessError

_MOST = 10_000_000
_ATTRIBUTES: dict[str, Callable[[Any], bool]] = {
    "weight": lambda value: isinstance(value, int | float) and 0 <= value <= _MOST,
    "fixed_count": lambda value: isinstance(value, int) and 0 <= value <= _MOST,
    "host": lambda value: value is None or isinstance(value, str),
    "wait_time": lambda value: value is None or callable(value),
}
"""What Locust needs these to be; with anything else, it fails when it starts users, or starts none."""
_CHANGERS = (locust.events.init, locust.events.test_start)
"""Events whose listeners may give classes their tasks before any user runs."""


def user_class_problems(
    scenario: ScenarioFile, user_classes: Sequence[type[User]], path: Path
) -> tuple[list[HarnessError], dict[str, str]]:
    """All problems of these user classes, and those without tasks (by name: where) that are left out beside others.

    Abstract classes are not among ``user_classes``.
    """
    problems: list[HarnessError] = []
    for name, count in Counter(user_class.__name__ for user_class in user_classes).items():
        if count > 1:
            locations = [_location(user_class, path) for user_class in user_classes if user_class.__name__ == name]
            problems.append(
                HarnessError(
                    "user-class-named-twice", where=locations[0], name=name, locations=list(dict.fromkeys(locations))
                )
            )
    given_later = _mention_tasks([*_listeners(), *_functions(scenario.modules)])
    checked: set[type] = set()
    for user_class in user_classes:
        if user_class not in checked:
            checked.add(user_class)
            problems += _task_problems(user_class, path, checked, given_later=given_later)
            problems += _attribute_problems(user_class, path)
    idle = {str(each.params["name"]): str(each.where) for each in problems if each.code == "user-class-without-task"}
    remaining = [user_class for user_class in user_classes if user_class.__name__ not in idle]
    if len(idle) < len(problems) or not remaining:
        return problems, {}
    if not any(user_class.weight > 0 or user_class.fixed_count > 0 for user_class in remaining):
        names = [user_class.__name__ for user_class in remaining]
        return [HarnessError("user-classes-without-weight", where=_location(remaining[0], path), names=names)], {}
    return [], idle


def _attribute_problems(user_class: type[User], path: Path) -> list[HarnessError]:
    return [
        HarnessError(
            "user-class-attribute-invalid",
            where=_location(user_class, path, name),
            name=user_class.__name__,
            attribute=name,
            value=one_line(repr(getattr(user_class, name))),
        )
        for name, is_valid in _ATTRIBUTES.items()
        if not is_valid(getattr(user_class, name))
    ]


def _task_problems(
    holder: type[User] | type[TaskSet], path: Path, checked: set[type], *, given_later: bool
) -> list[HarnessError]:
    """The problems with the tasks of a user class, or of a ``TaskSet`` in it, and so on."""
    problems: list[HarnessError] = []
    name, location = holder.__name__, _location(holder, path)
    for task in {id(task): task for task in holder.tasks}.values():
        if not callable(task):
            problems.append(HarnessError("not-a-task", where=location, name=name, value=one_line(repr(task))))
        elif isinstance(task, type) and issubclass(task, TaskSet) and task not in checked:
            checked.add(task)
            problems += _task_problems(task, path, checked, given_later=given_later)
    if holder.tasks or given_later or _makes_own_tasks(holder):
        return problems
    if issubclass(holder, User):
        missing = HarnessError("user-class-without-task", where=location, name=name)
    else:
        missing = HarnessError("task-set-without-task", where=location, name=name)
    return [*problems, missing]


def _makes_own_tasks(holder: type[User] | type[TaskSet]) -> bool:
    """Whether it may work without tasks in its class: it chooses them itself, or a method mentions tasks."""
    if issubclass(holder, MarkovTaskSet) or holder.run not in (User.run, TaskSet.run, HttpUser.run):
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


def _location(holder: type, path: Path, attribute: str = "") -> str:
    """``file:line`` of a class, or of its attribute if it has one there.

    It is that of the scenario where a class has been made by a function, or without a file.
    """
    try:
        lines, first = inspect.getsourcelines(holder)
        at = (number for number, line in enumerate(lines) if attribute and re.match(rf"\s+{attribute}\s*[:=]", line))
        return f"{inspect.getsourcefile(holder)}:{first + next(at, 0)}"
    except (OSError, TypeError):
        return str(path)

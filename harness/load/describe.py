"""The child that imports a scenario and tells what it holds.

Started as ``python -m harness.load.describe --parent PID FILE``; it dies with that parent. It answers
``{"description": …}`` (see ``harness.plan.description``) or ``{"fault": {"message", "where"}}``, with ``"hint"`` where
there is one.
"""

from __future__ import annotations

import argparse
import hashlib
import inspect
from collections import Counter
from pathlib import Path
from typing import Any

from locust import User

from harness.load.child_result import answer, blame, claim_stdout, one_line
from harness.load.process import die_with_parent
from harness.load.scenario_file import load_scenario
from harness.plan.dsl import declared


class UnusableUserError(Exception):
    """A user class that Locust imports but cannot run: it would fail only after the target has started."""

    def __init__(self, message: str, *, user_class: type[User], scenario: Path, hint: str) -> None:
        super().__init__(message)
        self.fault = {"message": one_line(message), "where": _place(user_class) or str(scenario), "hint": hint}


def describe(path: Path) -> dict[str, Any]:
    """The description of a scenario file, as JSON.

    Raises whatever importing the file raises, and :class:`UnusableUserError`.
    """
    scenario = load_scenario(path)
    _check_users(scenario.user_classes, path)
    namespace = vars(scenario.module)
    return {
        "file": str(path),
        "name": path.stem,
        "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
        "user_classes": [_describe_user(user_class) for user_class in scenario.user_classes],
        "has_verify": callable(namespace.get("verify")),
        "has_shape": scenario.shape is not None,
        **declared(namespace),
    }


def _check_users(user_classes: list[type[User]], path: Path) -> None:
    """Refuse what surely cannot run. Abstract classes are not among ``user_classes``."""
    names: set[str] = set()
    for user_class in user_classes:
        name = user_class.__name__
        if name in names:
            raise UnusableUserError(
                f"two user classes are named {name}",
                user_class=user_class,
                scenario=path,
                hint="Each needs a name of its own; a second name for the same class (B = A) counts, too.",
            )
        names.add(name)
        for task in user_class.tasks:
            if not callable(task):
                raise UnusableUserError(
                    f"tasks of {name} holds {task!r}, which is no task",
                    user_class=user_class,
                    scenario=path,
                    hint="A task is a function that takes the user, or a TaskSet class.",
                )
        if not user_class.tasks and not _makes_own_tasks(user_class):
            raise UnusableUserError(
                f"{name} has no task",
                user_class=user_class,
                scenario=path,
                hint="Put @task before a method (a weight of 0 makes it none), or set abstract = True in a base class.",
            )


def _makes_own_tasks(user_class: type[User]) -> bool:
    """Whether users may get on without tasks of their class: ``run`` is their own, or a method has to do with tasks."""
    if user_class.run is not User.run:
        return True
    methods = [
        method
        for base in user_class.__mro__
        if not base.__module__.startswith("locust.")
        for method in vars(base).values()
        if inspect.isfunction(method)
    ]
    return any("tasks" in method.__code__.co_names for method in methods)


def _place(user_class: type[User]) -> str | None:
    """``file:line`` of a class, if it can be found: it may have been made by a function, or without a file."""
    try:
        return f"{inspect.getsourcefile(user_class)}:{inspect.getsourcelines(user_class)[1]}"
    except (OSError, TypeError):
        return None


def _describe_user(user_class: type[User]) -> dict[str, Any]:
    tasks = Counter(getattr(task, "__name__", repr(task)) for task in user_class.tasks)
    return {
        "name": user_class.__name__,
        "weight": user_class.weight,
        "fixed_count": user_class.fixed_count,
        "host": user_class.host,
        "tasks": {name: count / tasks.total() for name, count in tasks.items()},
    }


def main() -> None:
    """See the module's first lines."""
    parser = argparse.ArgumentParser(prog="harness.load.describe")
    parser.add_argument("--parent", type=int, required=True)
    parser.add_argument("scenario", type=Path)
    given = parser.parse_args()
    die_with_parent(given.parent)
    path: Path = given.scenario
    stdout = claim_stdout()
    try:
        description = describe(path)
    except UnusableUserError as error:
        answer(stdout, {"fault": error.fault})
    except (Exception, SystemExit) as error:  # noqa: BLE001  (user code may raise anything)
        blamed = blame(error, path)
        message = f"the scenario cannot be imported: {blamed['message']}"
        answer(stdout, {"fault": {"message": message, "where": blamed["where"]}})
    else:
        answer(stdout, {"description": description})


if __name__ == "__main__":
    main()

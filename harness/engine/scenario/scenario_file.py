"""Imports a scenario: its user classes, shape, phases, gates and hooks. Only in processes of its own.

A scenario is one Locust file or several. It may do anything on import, and importing Locust patches the interpreter for
gevent.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from locust import LoadTestShape, User

from harness.engine.clones import end_clone, watch_forks
from harness.engine.locust.locustfile import import_locustfile, load_pytest_users
from harness.plan.dsl import Hook, uses_harness


@dataclass(frozen=True)
class ScenarioFile:
    """What a scenario's files define: ``modules`` are the imported files, ``shape`` is the first shape among them.

    ``imported`` are all modules that are new since.
    """

    modules: tuple[ModuleType, ...]
    user_classes: list[type[User]]
    shape: LoadTestShape | None
    imported: tuple[ModuleType, ...] = ()

    def stating(self, name: str) -> list[ModuleType]:
        """The modules that give ``name`` a value, without those that import it from another of them."""
        found: dict[int, ModuleType] = {}
        for module in self.modules:
            if name in vars(module):
                found.setdefault(id(vars(module)[name]), module)
        return list(found.values())

    def hook(self, name: Hook) -> Callable[[Any], object] | None:
        """The function ``setup``, ``verify`` or ``teardown`` that is called with the target before or after the run.

        A file may have functions of these names for itself: a hook has one parameter. In a file that uses nothing of
        ``harness``, that is called ``target``.
        """
        for module in self.stating(name):
            hook = vars(module)[name]
            if not inspect.isfunction(hook):
                continue
            parameters = [*inspect.signature(hook).parameters]
            # A verify without a parameter is a mistake that is reported when it is called.
            counts = uses_harness(vars(module)) and (len(parameters) == 1 or name == "verify")
            if counts or parameters == ["target"]:
                return hook
        return None


def load_scenario(files: Sequence[str | Path]) -> ScenarioFile:
    """Import the files as Locust would. Whatever a file raises on import is raised here.

    If no file has a user class, tests written for pytest (``test_…`` with Locust's fixtures) are the users.
    """
    watch_forks()
    try:
        return _import_files(files)
    finally:
        end_clone()


def _import_files(files: Sequence[str | Path]) -> ScenarioFile:
    known = set(sys.modules)
    modules: list[ModuleType] = []
    classes: dict[tuple[str, str | None], type[User]] = {}
    shape: LoadTestShape | None = None
    for path in map(Path, files):
        module, found, shapes = import_locustfile(path)
        modules.append(module)
        for name, user_class in found.items():
            # A class that several files import counts once, even if imported anew; a second name for it (B = A) counts.
            home = getattr(sys.modules.get(user_class.__module__), "__file__", None)
            classes.setdefault((name, home), user_class)
        shape = shape or next(iter(shapes), None)
    users = list(classes.values())
    if not users:
        users = [user for path in files for user in load_pytest_users(Path(path))]
    users.sort(key=lambda user_class: user_class.__name__)
    imported = tuple(module for name, module in list(sys.modules.items()) if name not in known)
    return ScenarioFile(tuple(modules), users, shape, imported)

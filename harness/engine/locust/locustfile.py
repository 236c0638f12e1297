"""Imports one locustfile as Locust does; without user classes, its pytest tests are the users.

Locust's ``PytestUser`` runs a file's ``test_…`` functions in its own loop, which ignores both arrivals and stops. Here,
one round of them is a task like any other.
"""

from __future__ import annotations

import ast
import importlib
import logging
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

from locust import LoadTestShape, User
from locust.exception import CatchResponseError
from locust.util.load_locustfile import is_shape_class, is_user_class, load_locustfile, load_locustfile_pytest
from requests.exceptions import RequestException

from harness.engine.locust.task_weights import bound_task_weights

logger = logging.getLogger(__name__)


def import_locustfile(path: Path) -> tuple[ModuleType, dict[str, type[User]], list[LoadTestShape]]:
    """The module, its user classes by name, and its shapes. Whatever the file raises on import is raised here.

    Locust cannot import a file with relative imports; such a file is imported as a module of its package.
    """
    bound_task_weights()
    if path.stem == "__init__" or (_imports_relatively(path) and (path.parent / "__init__.py").is_file()):
        module = _import_from_package(path)
        users = {name: value for name, value in vars(module).items() if is_user_class(value)}
        return module, users, [value() for value in vars(module).values() if is_shape_class(value)]
    users, shapes = load_locustfile(str(path))
    return sys.modules["locustfile" if path.stem == "locust" else path.stem], users, shapes


def _imports_relatively(path: Path) -> bool:
    try:
        tree = ast.parse(path.read_bytes())
    except SyntaxError:  # importing the file reports it, with its line
        return False
    return any(isinstance(node, ast.ImportFrom) and node.level for node in ast.walk(tree))


def _import_from_package(path: Path) -> ModuleType:
    parts: list[str] = [] if path.stem == "__init__" else [path.stem]
    folder = path.parent
    while (folder / "__init__.py").is_file():
        parts.insert(0, folder.name)
        folder = folder.parent
    # As Locust does: modules beside the file, and in the working directory, can be imported.
    sys.path[:0] = [str(folder), str(path.parent), str(Path.cwd())]
    try:
        return importlib.import_module(".".join(parts))
    finally:
        del sys.path[:2]


class PytestRounds(User):
    """Each user has its own fixtures; ``functions`` are the tests as pytest found them, each with its fixture."""

    abstract = True
    functions: tuple[Any, ...] = ()

    def on_start(self) -> None:
        self.fixtures = [next(function.fixturedef.func(self)) for function in self.functions]


def one_round(user: PytestRounds) -> None:
    """Run every test once. A failed request ends only its test: it is recorded already."""
    for function, fixture in zip(user.functions, user.fixtures, strict=True):
        try:
            function.obj(fixture)
        except (RequestException, CatchResponseError, ConnectionError) as error:
            if isinstance(error, ValueError):  # no URL at all, say: a mistake in the test
                raise
            logger.debug("%s: %s", function.name, error)


def load_pytest_users(path: Path) -> list[type[User]]:
    """A user class for each test of the file, with its name."""
    tests: dict[str, Any] = load_locustfile_pytest(str(path))
    for name, found in tests.items():
        if any("load_test" in function.fixturenames for function in found.functions):
            raise ValueError(
                f"{name} puts load on a target itself: run it by pytest, or the scenario that it names here"
            )
    return [
        type(name, (PytestRounds,), {"functions": tuple(found.functions), "tasks": [one_round], "abstract": False})
        for name, found in tests.items()
    ]

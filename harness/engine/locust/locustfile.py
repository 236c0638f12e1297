"""Imports one locustfile, as Locust does it."""

from __future__ import annotations

import ast
import importlib
import sys
from pathlib import Path
from types import ModuleType

from locust import LoadTestShape, User
from locust.util.load_locustfile import is_shape_class, is_user_class, load_locustfile


def import_locustfile(path: Path) -> tuple[ModuleType, dict[str, type[User]], list[LoadTestShape]]:
    """The module, its user classes by name, and its shapes. Whatever the file raises on import is raised here.

    Locust cannot import a file with relative imports; such a file is imported as a module of its package.
    """
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

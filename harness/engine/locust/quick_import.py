"""Imports Locust in half the CPU time, once for a run.

Locust's web UI brings Flask; whoever uses it (``locust.web``, ``Environment.create_web_ui``) imports it then. And for
each of 25 events while it patches the interpreter, gevent reads the entry points of all installed packages.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import metadata
from types import ModuleType
from typing import Any

_WEB = "locust.web"


@contextmanager
def _without_web_ui() -> Iterator[None]:
    """For ``locust.env``, which only makes a ``WebUI`` when it is called."""
    stand_in = ModuleType(_WEB)
    vars(stand_in)["WebUI"] = lambda *args, **kwargs: importlib.import_module(_WEB).WebUI(*args, **kwargs)
    sys.modules[_WEB] = stand_in
    try:
        yield
    finally:
        del sys.modules[_WEB]


@contextmanager
def _entry_points_read_once() -> Iterator[None]:
    """They do not change meanwhile."""
    read: Any = metadata
    original, known = read.entry_points, metadata.entry_points()
    read.entry_points = known.select
    try:
        yield
    finally:
        read.entry_points = original


def _import_web(name: str) -> ModuleType:
    """The package's ``__getattr__``: ``import locust`` alone brings ``locust.web``."""
    if name == "web":
        return importlib.import_module(_WEB)
    raise AttributeError(f"module 'locust' has no attribute {name!r}")


with _without_web_ui(), _entry_points_read_once():
    import locust
vars(locust)["__getattr__"] = _import_web

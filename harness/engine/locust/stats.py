"""Locust's own statistics (``environment.stats``), kept only for scenarios that read them.

They cost each request as much as the harness's own recording, and a message every three seconds that grows with the
number of endpoints, for tables that only Locust's web page shows.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

from locust.env import Environment
from locust.runners import Runner

from harness.engine.scenario.scenario_file import ScenarioFile

_WORDS = "(stats|errors|exceptions|report_to_master|worker_report)"
"""``environment.stats``, ``runner.stats``, ``runner.errors``, ``runner.exceptions`` and the events that carry them."""
_READS = re.compile(rf"""[.'"]{_WORDS}\b|\bimport\b.*\b{_WORDS}\b""")
"""As attributes, texts (for ``getattr``) or imported names."""
_NOT_READERS = ("locust", "harness", "gevent")


def reads_stats(scenario: ScenarioFile) -> bool:
    """Whether the scenario may read Locust's statistics; True if in doubt.

    This searches the source of its files, of all modules beside or below them, and of every other module that imports
    something of Locust (a plugin, say).
    """
    return any(_mentions(module) for module in _of_the_scenario(scenario))


def drop_stats(environment: Environment) -> None:
    """From now on, keep no Locust statistics in this process. The number of users is still reported."""
    for event in (
        environment.events.request,
        environment.events.report_to_master,
        environment.events.worker_report,
        environment.events.user_error,
    ):
        for listener in [listener for listener in event._handlers if _is_locusts_own(listener)]:
            event.remove_listener(listener)


def _is_locusts_own(listener: Any) -> bool:
    """Whether it is a listener of Locust's runners that only keeps or sends its statistics."""
    name = getattr(listener, "__qualname__", "")
    return name.startswith("setup_distributed_stats_event_listeners.") or name in (
        f"{Runner.__name__}.__init__.<locals>.on_request",
        "WorkerRunner.__init__.<locals>.on_user_error",
    )


def _of_the_scenario(scenario: ScenarioFile) -> Iterator[ModuleType]:
    yield from scenario.modules
    folders = {Path(module.__file__).parent for module in scenario.modules if module.__file__}
    for module in scenario.imported:
        if module.__name__.partition(".")[0] in _NOT_READERS:
            continue
        file = getattr(module, "__file__", None)
        if file and (any(Path(file).is_relative_to(folder) for folder in folders) or _knows_locust(module)):
            yield module


def _knows_locust(module: ModuleType) -> bool:
    for value in list(vars(module).values()):
        origin = value.__name__ if isinstance(value, ModuleType) else getattr(value, "__module__", None)
        if isinstance(origin, str) and origin.partition(".")[0] == "locust":
            return True
    return False


def _mentions(module: ModuleType) -> bool:
    file = module.__file__
    if not file or not file.endswith(".py"):
        return False
    try:
        return _READS.search(Path(file).read_text(encoding="utf-8", errors="replace")) is not None
    except OSError:  # moved since its import
        return True

"""A scenario file imported: its user classes, shape, phases, gates and ``verify``. Only in processes of their own.

A scenario is a Locust file. It may do anything on import, and importing Locust patches the interpreter for gevent.
"""

from __future__ import annotations

import sys
from argparse import Namespace
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import locust
from locust import LoadTestShape, User, argument_parser
from locust.env import Environment
from locust.util.load_locustfile import load_locustfile


@dataclass(frozen=True)
class ScenarioFile:
    """What a scenario file defines. ``module`` is the imported file itself."""

    module: ModuleType
    user_classes: list[type[User]]
    shape: LoadTestShape | None


def load_scenario(path: Path) -> ScenarioFile:
    """Import the file, as Locust would. Whatever the file raises on import is raised here."""
    user_classes, shapes = load_locustfile(str(path))
    module_name = "locustfile" if path.stem == "locust" else path.stem
    classes = sorted(user_classes.values(), key=lambda user_class: user_class.__name__)
    return ScenarioFile(sys.modules[module_name], classes, shapes[0] if shapes else None)


def locust_options() -> Namespace:
    """Locust's options at their defaults, together with those the scenario added by ``init_command_line_parser``."""
    options: Namespace = argument_parser.get_parser(default_config_files=[]).parse_args([])
    options.enable_rebalancing = True
    return options


def make_environment(
    scenario: ScenarioFile, *, host: str, stop_timeout_s: float, tags: tuple[str, ...], exclude_tags: tuple[str, ...]
) -> Environment:
    """The Locust environment of a master or a worker. Every user class is pointed at ``host``."""
    options = locust_options()
    options.stop_timeout = stop_timeout_s
    options.host = host
    options.tags = list(tags) or None
    options.exclude_tags = list(exclude_tags) or None
    return Environment(
        user_classes=scenario.user_classes,
        shape_class=scenario.shape,
        events=locust.events,
        host=host,
        stop_timeout=stop_timeout_s,
        parsed_options=options,
        tags=options.tags,
        exclude_tags=options.exclude_tags,
    )

"""Makes the Locust environment of a load process from the plan."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Container, Sequence
from pathlib import Path
from typing import Any, TypeVar

import locust
from locust import User
from locust.env import Environment
from locust.runners import Runner
from locust.stats import RequestStats

from harness.engine.http.user import HttpUser
from harness.engine.locust.options import parse_arguments
from harness.engine.scenario.scenario_file import ScenarioFile
from harness.plan.model.run import RunPlan

HTTP_USERS = (locust.HttpUser, locust.FastHttpUser, HttpUser)
"""Classes whose ``host`` is the URL that their client sends requests to."""
AnyRunner = TypeVar("AnyRunner", bound=Runner)


def make_environment(scenario: ScenarioFile, plan: RunPlan, *, host: str, is_master: bool = False) -> Environment:
    """The Locust environment of a worker or the master.

    ``host`` is the host of every user class, unless the target was taken from the classes' own hosts. A class that is
    no HTTP user keeps its own beside HTTP users: it is the address of something else.
    """
    options = parse_arguments(plan.arguments, scenario.shape)
    available: dict[str, Any] = {user_class.__name__: user_class for user_class in scenario.user_classes}
    _set_options(options, plan, is_master=is_master)
    user_classes = chosen_classes(scenario, options.user_classes, plan.scenario.left_out)
    own_hosts = plan.target.kind == "attached" and plan.target.own_hosts
    others = [user_class for user_class in user_classes if not issubclass(user_class, HTTP_USERS)]
    options.host = host
    if own_hosts or (len(others) < len(user_classes) and any(user_class.host for user_class in others)):
        options.host = None  # which Locust would give to every class
        for user_class in user_classes:
            if user_class not in others:
                user_class.host = (user_class.host if own_hosts else None) or host
            elif not own_hosts:
                user_class.host = user_class.host or host
    environment = Environment(
        user_classes=user_classes,
        shape_class=scenario.shape,
        events=locust.events,
        host=options.host,
        stop_timeout=plan.stop_timeout_s,
        parsed_options=options,
        tags=options.tags,
        exclude_tags=options.exclude_tags,
        locustfile=options.locustfile,
        parsed_locustfiles=list(plan.scenario.locustfiles),
        available_user_classes=available,
        available_shape_classes={type(scenario.shape).__name__: scenario.shape} if scenario.shape else {},
        available_user_tasks={name: list(user_class.tasks) for name, user_class in available.items()},
    )
    if options.tags or options.exclude_tags:
        keep_tagged(environment)
    if not is_master:
        environment.stats = RequestStats(use_response_times_cache=False)  # as Locust has it on workers
    return environment


def create_runner(environment: Environment, kind: type[AnyRunner], host: str, port: int) -> AnyRunner:
    """The environment's master or worker runner. Raises ``zmq.ZMQError`` if the master cannot listen there."""
    runner: AnyRunner = environment._create_runner(kind, host, port)
    return runner


def chosen_classes(scenario: ScenarioFile, names: Sequence[str], left_out: Container[str] = ()) -> list[type[User]]:
    """The user classes with these names, all if there are no names, without those that are left out."""
    return [
        user_class
        for user_class in scenario.user_classes
        if (not names or user_class.__name__ in names) and user_class.__name__ not in left_out
    ]


def keep_tagged(environment: Environment) -> None:
    """Leave out tasks that the tags exclude, and user classes that have no task left.

    Locust keeps such classes, whose users do nothing but raise that they have no task.
    """
    had_tasks = [user_class for user_class in environment.user_classes if user_class.tasks]
    environment._filter_tasks_by_tags()
    for user_class in had_tasks:
        if not user_class.tasks:
            environment.user_classes.remove(user_class)


def _set_options(options: Namespace, plan: RunPlan, *, is_master: bool) -> None:
    """Make ``environment.parsed_options`` agree with this run, because locustfiles read it."""
    options.locustfile = Path(plan.scenario.path).name
    options.headless = True
    options.master, options.worker = is_master, not is_master
    options.expect_workers = plan.workers
    options.enable_rebalancing = True
    options.stop_timeout = plan.stop_timeout_s
    options.tags = list(plan.tags) or None
    options.exclude_tags = list(plan.exclude_tags) or None
    if options.num_users is None:
        options.num_users = plan.peak_users
    if options.spawn_rate is None:
        options.spawn_rate = 1
    if options.run_time is None:
        options.run_time = round(plan.duration_s) or None

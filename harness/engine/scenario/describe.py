"""The child process that imports a scenario and describes it.

It is given a :class:`DescribeRequest` as JSON. Its result is ``{"description": …}`` (see
``harness.plan.description``) or ``{"problems": […]}`` (:meth:`harness.errors.HarnessError.to_data`).
"""

from __future__ import annotations

import hashlib
import inspect
import logging
import shlex
import time
from argparse import Namespace
from collections import Counter
from collections.abc import Sequence, Sized
from pathlib import Path
from typing import Any

from locust import User
from locust.env import Environment

from harness.engine.feeder import feeders
from harness.engine.last_words import LastWords
from harness.engine.locust.environment import HTTP_USERS, chosen_classes, keep_tagged
from harness.engine.locust.options import ArgumentsError, parse_arguments
from harness.engine.scenario.child_result import claim_stdout, locate, write_result
from harness.engine.scenario.named_checks import figures_named_in
from harness.engine.scenario.scenario_file import ScenarioFile, load_scenario
from harness.engine.scenario.user_class_checks import user_class_problems
from harness.errors import HarnessError
from harness.messages import Option, alternatives
from harness.plan.config_source import MOST_TABLES, assignment
from harness.plan.description import DescribeRequest
from harness.plan.dsl import HOOKS, STATED, declared, uses_harness


def describe(request: DescribeRequest) -> dict[str, Any]:
    """The child's result. Raises whatever importing a file raises."""
    files = [Path(file) for file in request.files]
    scenario = load_scenario(files)
    names, argument_problems = _chosen_names(scenario, request)
    user_classes = chosen_classes(scenario, names)
    class_problems, left_out = user_class_problems(scenario, user_classes, files[0])
    problems = [
        *class_problems,
        *argument_problems,
        *_stated_twice(scenario),
        *_too_many(scenario),
        *_hooks_that_never_run(scenario),
    ]
    if problems:
        return _failed(problems)
    user_classes = chosen_classes(scenario, names, left_out)
    if request.tags or request.exclude_tags:
        tagged = _tagged(user_classes, request)
        if user_classes and not tagged:
            return _failed([_nothing_tagged(request)])
        user_classes = tagged
    return {
        "description": {
            "path": str(files[0]),
            "files": [str(file) for file in files] if len(files) > 1 else [],
            "name": request.name,
            "sha256": hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest(),
            "user_classes": [
                _describe_user(user_class)
                for user_class in user_classes
                if user_class.weight > 0 or user_class.fixed_count > 0
            ],
            "left_out": left_out,
            **{f"has_{name}": scenario.hook(name) is not None for name in HOOKS},
            "feeders": [feeder.describe() for feeder in feeders()],
            "figures": figures_named_in(scenario.hook("verify")),
            "has_shape": scenario.shape is not None,
            "shape_reads_options": bool(scenario.shape is not None and scenario.shape.use_common_options),
            **_declared(scenario),
        }
    }


def _tagged(user_classes: Sequence[type[User]], request: DescribeRequest) -> list[type[User]]:
    """Those user classes that the tags leave a task."""
    environment = Environment(
        user_classes=list(user_classes),
        tags=list(request.tags) or None,
        exclude_tags=list(request.exclude_tags) or None,
    )
    keep_tagged(environment)
    return list(environment.user_classes)


def _failed(problems: list[HarnessError]) -> dict[str, Any]:
    return {"problems": [problem.to_data() for problem in problems]}


def _declared(scenario: ScenarioFile) -> dict[str, object]:
    """What the files state for the harness; :func:`_stated_twice` has checked that no two state the same."""
    stated = dict.fromkeys(STATED)
    for module in scenario.modules:
        stated |= {name: value for name, value in declared(vars(module)).items() if value is not None}
    return stated


def _stated_twice(scenario: ScenarioFile) -> list[HarnessError]:
    problems: list[HarnessError] = []
    for name in (*STATED, *HOOKS):
        modules = [module for module in scenario.stating(name) if uses_harness(vars(module))]
        if len(modules) > 1:
            locations = [str(module.__file__) for module in modules]
            problems.append(
                HarnessError(
                    "scenario-stated-twice", where=locations[0], name=name, count=len(locations), others=locations[1:]
                )
            )
    return problems


def _hooks_that_never_run(scenario: ScenarioFile) -> list[HarnessError]:
    """Hooks whose call only makes a coroutine or a generator: a ``verify`` that checks nothing would pass."""
    problems: list[HarnessError] = []
    for name in HOOKS:
        hook = scenario.hook(name)
        if inspect.iscoroutinefunction(hook) or inspect.isasyncgenfunction(hook):
            code = "hook-async"
        elif inspect.isgeneratorfunction(hook) and name != "verify":
            code = "hook-yields"
        else:
            continue
        found = inspect.unwrap(hook).__code__
        problems.append(HarnessError(code, where=f"{found.co_filename}:{found.co_firstlineno}", name=name))
    return problems


def _too_many(scenario: ScenarioFile) -> list[HarnessError]:
    """Lists longer than anyone writes, which would take long to hand over."""
    return [
        HarnessError(
            "too-many-tables",
            where=assignment(str(module.__file__), name),
            key=name,
            count=len(calls),
            most=MOST_TABLES,
        )
        for name in ("phases", "gates", "faults")
        for module in scenario.stating(name)
        if uses_harness(vars(module)) and isinstance(calls := vars(module)[name], Sized) and len(calls) > MOST_TABLES
    ]


def _chosen_names(scenario: ScenarioFile, request: DescribeRequest) -> tuple[list[str], list[HarnessError]]:
    """The user classes that the arguments after ``--`` name, and what is wrong with the arguments."""
    where = f"-- {' '.join(request.arguments)}"
    try:
        names = parse_arguments(request.arguments, scenario.shape).user_classes
    except ArgumentsError as error:
        return [], [HarnessError("locust-arguments", where=where, problem=error.problem, remedy=error.remedy)]
    known = [user_class.__name__ for user_class in scenario.user_classes]
    unknown = [name for name in names if name not in known]
    if not unknown:
        return names, []
    near = alternatives(unknown[0], known)
    return names, [HarnessError("user-class-unknown", where=where, unknown=unknown, known=near)]


def _nothing_tagged(request: DescribeRequest) -> HarnessError:
    given = [Option("tags", tag) for tag in request.tags]
    given += [Option("exclude_tags", tag) for tag in request.exclude_tags]
    return HarnessError("tags-leave-no-task", tags=given)


def _describe_user(user_class: type[User]) -> dict[str, Any]:
    tasks = Counter(getattr(task, "__name__", repr(task)) for task in user_class.tasks)
    return {
        "name": user_class.__name__,
        "weight": user_class.weight,
        "fixed_count": user_class.fixed_count,
        "host": user_class.host,
        "is_http": issubclass(user_class, HTTP_USERS),
        "tasks": {name: count / tasks.total() for name, count in tasks.items()},
    }


def main(given: Namespace) -> None:
    """See the module's first lines; the option is ``request``."""
    request = DescribeRequest.model_validate_json(given.request)
    stdout, last_words, at_s = claim_stdout(), LastWords(), time.time()
    logging.getLogger().addHandler(last_words)
    try:
        write_result(stdout, describe(request))
    except HarnessError as error:
        error.where_at = error.where_at or locate(error, Path(request.files[0])).location
        write_result(stdout, _failed([error]))
    except (Exception, SystemExit) as error:  # noqa: BLE001  (user code may raise anything)
        raised = locate(error, Path(request.files[0]))
        logged = last_words.since(at_s) if isinstance(error, SystemExit) else ""
        file = shlex.quote(request.files[0])
        problem = HarnessError(
            "scenario-import-failed", where=raised.location, error=raised.error, logged=logged, file=file
        )
        write_result(stdout, _failed([problem]))

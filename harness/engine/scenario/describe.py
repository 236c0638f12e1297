"""The child that imports a scenario and tells what it holds.

Started as ``python -m harness.quick_start harness.engine.scenario.describe --parent PID``, with a
:class:`DescribeRequest` as JSON in its environment; it dies with that parent. It answers ``{"description": …}`` (see
``harness.plan.description``) or ``{"faults": […]}``, each with ``"message"``, ``"where"`` and, where there is one,
``"hint"``.
"""

from __future__ import annotations

import argparse
import hashlib
from collections import Counter
from pathlib import Path
from typing import Any

from locust import User
from locust.env import Environment

from harness.engine.locust.environment import chosen_classes, keep_tagged
from harness.engine.locust.options import ArgumentsError, parse_arguments
from harness.engine.process_setup import DESCRIBE_VARIABLE, die_with_parent, take
from harness.engine.scenario.child_result import answer, blame, claim_stdout, one_line
from harness.engine.scenario.scenario_file import ScenarioFile, load_scenario
from harness.engine.scenario.user_class_checks import Fault, user_faults
from harness.plan.description import DescribeRequest
from harness.plan.dsl import STATED, declared, uses_harness


def describe(question: DescribeRequest) -> dict[str, Any]:
    """``{"description": …}`` or ``{"faults": […]}``. Raises whatever importing a file raises."""
    files = [Path(file) for file in question.files]
    scenario = load_scenario(files)
    faults = [*_argument_faults(scenario, question), *_stated_twice(scenario)]
    shown = user_faults(scenario, scenario.user_classes, files[0])
    if faults or shown:
        return {"faults": [*shown, *faults]}
    options = parse_arguments(question.arguments, scenario.shape)
    user_classes = chosen_classes(scenario, options.user_classes)
    if question.tags or question.exclude_tags:
        environment = Environment(
            user_classes=list(user_classes),
            tags=list(question.tags) or None,
            exclude_tags=list(question.exclude_tags) or None,
        )
        keep_tagged(environment)
        if user_classes and not environment.user_classes:
            return {"faults": [_nothing_tagged(question)]}
        user_classes = environment.user_classes
    return {
        "description": {
            "file": str(files[0]),
            "files": [str(file) for file in files] if len(files) > 1 else [],
            "name": question.name,
            "sha256": hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest(),
            "user_classes": [
                _describe_user(user_class)
                for user_class in user_classes
                if user_class.weight > 0 or user_class.fixed_count > 0
            ],
            "has_verify": scenario.verify is not None,
            "has_shape": scenario.shape is not None,
            **_declared(scenario),
        }
    }


def _declared(scenario: ScenarioFile) -> dict[str, object]:
    """What the files state for the harness; :func:`_stated_twice` has seen that no two state the same."""
    stated = dict.fromkeys(STATED)
    for module in scenario.modules:
        stated |= {name: value for name, value in declared(vars(module)).items() if value is not None}
    return stated


def _stated_twice(scenario: ScenarioFile) -> list[Fault]:
    faults: list[Fault] = []
    for name in (*STATED, "verify"):
        modules = [module for module in scenario.stating(name) if uses_harness(vars(module))]
        if len(modules) > 1:
            places = [str(module.__file__) for module in modules]
            hint = f"Keep one; the other is in {', '.join(places[1:])}."
            faults.append({"message": f"{name} is stated in {len(places)} files", "where": places[0], "hint": hint})
    return faults


def _argument_faults(scenario: ScenarioFile, question: DescribeRequest) -> list[Fault]:
    """What is wrong with what followed ``--``."""
    where = f"-- {' '.join(question.arguments)}"
    try:
        names = parse_arguments(question.arguments, scenario.shape).user_classes
    except ArgumentsError as error:
        return [{"message": one_line(str(error)), "where": where, "hint": one_line(error.hint)}]
    known = [user_class.__name__ for user_class in scenario.user_classes]
    unknown = [name for name in names if name not in known]
    if not unknown:
        return []
    return [
        {
            "message": f"there is no user class {', '.join(unknown)}",
            "where": where,
            "hint": f"there are: {', '.join(known)}" if known else "the scenario has no user class",
        }
    ]


def _nothing_tagged(question: DescribeRequest) -> Fault:
    words = [
        f"{option} {tag}"
        for option, tags in (("--tags", question.tags), ("--exclude-tags", question.exclude_tags))
        for tag in tags
    ]
    return {"message": "these tags leave no task", "where": " ".join(words), "hint": "See @tag in the scenario."}


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
    parser = argparse.ArgumentParser(prog="harness.engine.scenario.describe")
    parser.add_argument("--parent", type=int, required=True)
    given = parser.parse_args()
    die_with_parent(given.parent)
    question = DescribeRequest.model_validate_json(take(DESCRIBE_VARIABLE))
    stdout = claim_stdout()
    try:
        answer(stdout, describe(question))
    except (Exception, SystemExit) as error:  # noqa: BLE001  (user code may raise anything)
        blamed = blame(error, Path(question.files[0]))
        message = f"the scenario cannot be imported: {blamed['message']}"
        answer(stdout, {"faults": [{"message": message, "where": blamed["where"]}]})

"""Scenario and profile files as a user writes them, described without Locust: these tests are of the plan alone."""

from __future__ import annotations

import hashlib
import runpy
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from harness.errors import HarnessError, InvalidValue, ManyProblemsError
from harness.messages import Message
from harness.plan.description import ScenarioDescription
from harness.plan.dsl import declared
from harness.plan.model.run import RunPlan
from harness.plan.model.scenario import UserClass
from harness.plan.profile import load_profile
from harness.plan.resolve import resolve
from harness.plan.target import TargetOptions

IMPORTS = "from harness import gate, pause, ramp, search, spike, steady, stress; target = 'shop'\n"
"""Line 1 of every scenario here."""


def describe(
    folder: Path,
    text: str = "",
    *,
    has_shape: bool = False,
    host: str | None = None,
    users: int = 1,
    is_http: bool = True,
) -> ScenarioDescription:
    """The description of ``folder/scenarios/shop.py``, which holds the import line and ``text``."""
    path = folder / "scenarios" / "shop.py"
    path.parent.mkdir(exist_ok=True)
    path.write_text((IMPORTS if host is None else IMPORTS.partition(";")[0] + "\n") + text)
    user = UserClass(name="Shopper", weight=1, fixed_count=0, host=host or None, tasks={"browse": 1.0}, is_http=is_http)
    return ScenarioDescription.model_validate(
        {
            "path": str(path),
            "name": "shop",
            "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
            "user_classes": [user] * users,
            "has_shape": has_shape,
            **declared(runpy.run_path(str(path))),
        }
    )


def plan_of(folder: Path, text: str = "", profile: str | None = None, *overrides: str) -> RunPlan:
    """The plan of a scenario with ``text``, under a profile file with the text ``profile``."""
    loaded = None
    if profile is not None:
        path = folder / "quick.toml"
        path.write_text(profile)
        loaded = load_profile(str(path))
    return resolve(describe(folder, text), profile=loaded, overrides=overrides)


class Found(NamedTuple):
    """A problem that was reported: where, its code, and its parameters.

    Of alternatives it has the one that was meant; where none was, all that are known.
    """

    where: str
    code: str
    params: dict[str, object]


def found(error: HarnessError, folder: Path | None = None) -> Found:
    """``error``, with paths relative to ``folder``."""
    assert str(error), "its sentence can be filled in"
    where = (error.where or "").replace(f"{folder}/", "")
    params = params_of(error.params)
    return Found(where, error.code, params | {"other": str(params.get("other", "")).replace(f"{folder}/", "")})


def params_of(params: Mapping[str, object]) -> dict[str, object]:
    return {name: _meant(value) if isinstance(value, Message) else value for name, value in params.items()}


def _meant(alternatives: Message) -> object:
    return alternatives.params.get("close") or alternatives.params.get("meant") or alternatives.params.get("known", [])


def plan_problems(folder: Path, text: str = "", profile: str | None = None, *overrides: str) -> list[Found]:
    """What is reported of a scenario with ``text`` under a ``profile``, with paths relative to ``folder``."""
    with pytest.raises(ManyProblemsError) as raised:
        plan_of(folder, text, profile, *overrides)
    return [found(problem, folder) for problem in raised.value.problems]


def target_problems(description: ScenarioDescription, options: TargetOptions) -> list[Found]:
    """What is reported of a target."""
    with pytest.raises(ManyProblemsError) as raised:
        resolve(description, target=options)
    return [found(problem) for problem in raised.value.problems]


def assert_found(problems: Sequence[Found], where: str, code: str, params: Mapping[str, object]) -> None:
    """Assert that one of ``problems`` is ``code``, reported there, with at least these parameters."""
    there = [problem for problem in problems if (problem.where, problem.code) == (where, code)]
    assert any({name: problem.params[name] for name in params} == params for problem in there), problems


def assert_invalid(parse: Callable[[Any], object], value: object, code: str, params: Mapping[str, object]) -> None:
    """Assert that ``parse`` rejects ``value`` as ``code``, with at least these parameters."""
    with pytest.raises(InvalidValue) as raised:
        parse(value)
    assert raised.value.code == code
    found = params_of(raised.value.params)
    assert {name: found[name] for name in params} == params

"""Scenario and profile files as a user writes them, described without Locust: these tests are of the plan alone."""

from __future__ import annotations

import hashlib
import runpy
from pathlib import Path

import pytest

from harness.errors import ManyProblemsError
from harness.plan.description import ScenarioDescription
from harness.plan.dsl import declared
from harness.plan.model import RunPlan, UserClass
from harness.plan.profile import load_profile
from harness.plan.resolve import resolve
from harness.plan.target import TargetOptions

IMPORTS = "from harness import gate, pause, ramp, spike, steady, stress\n"
"""Line 1 of every scenario here."""


def describe(
    folder: Path, text: str = "", *, has_shape: bool = False, host: str | None = None, users: int = 1
) -> ScenarioDescription:
    """The description of ``folder/scenarios/shop.py``, which holds the import line and ``text``."""
    path = folder / "scenarios" / "shop.py"
    path.parent.mkdir(exist_ok=True)
    path.write_text(IMPORTS + text)
    user = UserClass(name="Shopper", weight=1, fixed_count=0, host=host, tasks={"browse": 1.0})
    return ScenarioDescription.model_validate(
        {
            "file": str(path),
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


def plan_problems(folder: Path, text: str = "", profile: str | None = None, *overrides: str) -> list[str]:
    """What the user is told, fault by fault, with paths relative to ``folder``."""
    with pytest.raises(ManyProblemsError) as raised:
        plan_of(folder, text, profile, *overrides)
    return [str(problem).replace(f"{folder}/", "") for problem in raised.value.problems]


def target_problems(description: ScenarioDescription, options: TargetOptions) -> list[str]:
    """What the user is told of a target."""
    with pytest.raises(ManyProblemsError) as raised:
        resolve(description, target=options)
    return [str(problem) for problem in raised.value.problems]

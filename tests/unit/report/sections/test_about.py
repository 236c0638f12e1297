"""The command that repeats a run."""

from __future__ import annotations

import pytest

from harness.plan.model.target import AttachedTarget, CommandTarget, PlannedTarget, ShopTarget, Variant
from harness.report.sections.about import command_line
from tests.support.plans import make_plan, steady


@pytest.mark.parametrize(
    ("target", "options"),
    [
        (ShopTarget(), " --target shop"),
        (CommandTarget(command="serve --port {port}"), " --target 'serve --port {port}' --ready /health"),
        (AttachedTarget(url="http://127.0.0.1:80", pid=7), " --host http://127.0.0.1:80 --pid 7"),
        (AttachedTarget(url="http://127.0.0.1:80"), " --host http://127.0.0.1:80"),
    ],
)
def test_the_command_runs_the_same_again(target: PlannedTarget, options: str) -> None:
    plan = make_plan([steady()], profile="load").model_copy(
        update={"targets": (Variant(target=target),), "overrides": ("a.b=1 s",)}
    )
    expected = f"harness run {plan.scenario.path} --profile load --set 'a.b=1 s' --workers 1 --seed 0{options}"
    assert command_line(plan) == expected


def test_a_profile_that_was_given_as_a_file_is_named_as_that_file() -> None:
    plan = make_plan([steady()], profile="load").model_copy(update={"profile_given": "ci/load.toml"})
    assert "--profile ci/load.toml" in command_line(plan)


def test_the_default_profile_is_not_named() -> None:
    assert "--profile" not in command_line(make_plan([steady()]))

"""Which host each user class gets: the target's, its own, or none, as in Locust."""

from __future__ import annotations

from pathlib import Path

import pytest
from locust import HttpUser, User, task

from harness.engine.locust.environment import make_environment
from harness.engine.scenario.scenario_file import ScenarioFile
from harness.plan.model.target import AttachedTarget, CommandTarget, PlannedTarget, Variant
from tests.support.engine import plan_of
from tests.support.plans import steady

URL = "http://127.0.0.1:8000"


@task
def act(user: User) -> None:
    """What a user needs to be one."""


def hosts_of(target: PlannedTarget, url: str, **own: str | None) -> dict[str, str | None]:
    """The host that each class of the run ends with; ``own`` are the hosts of the classes ``http`` and ``custom``."""
    bases = {"http": HttpUser, "custom": User}
    classes = [type(name, (bases[name],), {"host": own[name], "act": act}) for name in own]
    plan = plan_of(Path("shop.py"), [steady(1, 1)]).model_copy(update={"targets": (Variant(target=target),)})
    environment = make_environment(ScenarioFile((), classes, None), plan, host=url)
    return {made.__name__: environment.host or made.host for made in environment.user_classes}


@pytest.mark.parametrize(
    ("target", "url", "own", "expected"),
    [
        # Without --host: each class has its own, and a custom client without one has none.
        (AttachedTarget(url="", own_hosts=True), "", {"custom": None}, {"custom": None}),
        (
            AttachedTarget(url="localhost:50051", own_hosts=True),
            "localhost:50051",
            {"custom": "localhost:50051"},
            {"custom": "localhost:50051"},
        ),
        (
            AttachedTarget(url=URL, own_hosts=True),
            URL,
            {"http": URL, "custom": None},
            {"http": URL, "custom": None},
        ),
        # --host counts for all, as in Locust, but a custom client keeps the address of something else.
        (
            AttachedTarget(url="redis://localhost"),
            "redis://localhost",
            {"custom": "x:1"},
            {"custom": "redis://localhost"},
        ),
        (AttachedTarget(url=URL), URL, {"http": "http://localhost:1", "custom": None}, {"http": URL, "custom": URL}),
        (CommandTarget(command="app"), URL, {"http": None, "custom": "x:1"}, {"http": URL, "custom": "x:1"}),
    ],
)
def test_each_class_has_the_host_that_locust_would_give_it(
    target: PlannedTarget, url: str, own: dict[str, str | None], expected: dict[str, str | None]
) -> None:
    assert hosts_of(target, url, **own) == {name: host or None for name, host in expected.items()}

"""``environment.json`` says on what a run was made; its fingerprint changes with what decides the speed only."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from harness.plan.model.run import RunPlan
from harness.plan.model.target import AttachedTarget, CommandTarget, PlannedTarget, ShopTarget, Variant
from harness.targets.capture_environment import capture_environment, git_commit
from tests.support.plans import make_plan


def plan(target: PlannedTarget, workers: int = 1) -> RunPlan:
    return make_plan([], workers=workers).model_copy(update={"targets": (Variant(target=target),)})


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    def git(*arguments: str) -> None:
        subprocess.run(["git", "-C", str(tmp_path), *arguments], check=True, capture_output=True)

    git("init")
    (tmp_path / "scenario.py").write_text("one")
    git("add", "scenario.py")
    git("-c", "user.name=t", "-c", "user.email=t@example.org", "commit", "-m", "one")
    return tmp_path


def test_the_commit_has_a_plus_where_files_differ(checkout: Path) -> None:
    clean = git_commit(checkout)
    assert clean is not None
    assert len(clean) == 12
    (checkout / "scenario.py").write_text("two")
    assert git_commit(checkout) == f"{clean}+"
    environment = capture_environment(plan(ShopTarget()), checkout / "scenario.py")
    assert environment.scenario_commit == f"{clean}+"


def test_outside_git_or_without_it_there_is_no_commit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert git_commit(tmp_path) is None
    monkeypatch.setenv("PATH", str(tmp_path))
    assert git_commit(tmp_path) is None


def test_the_fingerprint_depends_on_what_decides_the_speed_only(checkout: Path) -> None:
    scenario = checkout / "scenario.py"
    one = capture_environment(plan(ShopTarget()), scenario)
    (checkout / "scenario.py").write_text("changed")
    assert capture_environment(plan(ShopTarget(environment={"A": "1"})), scenario).fingerprint == one.fingerprint
    assert capture_environment(plan(ShopTarget(), workers=2), scenario).fingerprint != one.fingerprint
    assert capture_environment(plan(CommandTarget(command="app")), scenario).fingerprint != one.fingerprint


def test_machine_versions_and_target_are_named(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scenario = checkout / "scenario.py"
    shop = capture_environment(plan(ShopTarget(environment={"SHOP_DEFECTS": "leak"})), scenario)
    assert shop.cores >= 1
    assert shop.memory_bytes > 2**20
    assert {"harness", "locust", "gevent", "py-spy", "memray"} == set(shop.versions)
    assert shop.target == "the embedded shop SHOP_DEFECTS=leak"
    monkeypatch.chdir(checkout)
    command = capture_environment(plan(CommandTarget(command="app --port {port}")), scenario)
    assert command.target == "app --port {port}"
    assert command.target_commit == git_commit(checkout)
    url = "http://127.0.0.1:8000"
    known = capture_environment(plan(AttachedTarget(url=url, pid=os.getpid())), scenario)
    assert known.target == f"{url} (process {os.getpid()})"
    assert known.target_commit == git_commit(checkout)
    unknown = capture_environment(plan(AttachedTarget(url=url)), scenario)
    assert (unknown.target, unknown.target_commit) == (url, None)
    assert capture_environment(plan(AttachedTarget(url=url, pid=4194999)), scenario).target_commit is None

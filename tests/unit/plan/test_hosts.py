"""Allowed hosts: how they are written, where they come from, and what is rejected."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.errors import HarnessError, ManyProblemsError
from harness.messages import Option
from harness.plan.hosts import host_key
from harness.plan.model.target import AllowedHost
from harness.plan.problems import Problems
from harness.plan.profile import load_profile, load_project
from harness.plan.resolve import resolve
from harness.plan.target import TargetOptions
from tests.unit.plan.support import assert_found, describe, found, target_problems

PROJECT = """\
[project]
name = "shop"

[tool.harness]
allowed_hosts = ["Staging.Example.", {host = "10.0.0.9", max_rate = 500}]
mask = ["x-tenant"]
"""
OPEN = "phases = [steady(rate=600, hold='5s')]\n"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "pyproject.toml").write_text(PROJECT)
    below = tmp_path / "deep" / "below"
    below.mkdir(parents=True)
    monkeypatch.chdir(below)
    return tmp_path


def test_project_profile_and_command_line_allow_together_and_the_lowest_limit_holds(folder: Path) -> None:
    profile = folder / "quick.toml"
    profile.write_text('allowed_hosts = [{host = "staging.example", max_rate = 50}, "10.0.0.9"]\nredact = ["pin"]\n')
    plan = resolve(
        describe(folder),
        profile=load_profile(str(profile)),
        target=TargetOptions(allowed=("::ffff:10.0.0.9", "b.test")),
    )
    assert plan.allowed_hosts == (
        AllowedHost(host="staging.example", max_rate=50),
        AllowedHost(host="10.0.0.9", max_rate=500),
        AllowedHost(host="b.test"),
    )
    assert plan.secret_names == ("x-tenant", "pin")


def test_the_setting_to_add_is_complete(folder: Path) -> None:
    (problem,) = target_problems(describe(folder), TargetOptions(host="http://10.1.1.1:80"))
    assert_found(
        [problem],
        "--host",
        "host-not-allowed",
        {
            "host": "10.1.1.1",
            "setting": 'allowed_hosts = ["staging.example", {host = "10.0.0.9", max_rate = 500}, "10.1.1.1"]',
            "option": Option("allow_host", "10.1.1.1"),
        },
    )
    assert resolve(describe(folder), target=TargetOptions(host="http://10.0.0.9:80")).target.kind == "attached"


def test_a_scenarios_own_host_can_be_an_allowed_one(folder: Path) -> None:
    plan = resolve(describe(folder, host="https://staging.example/api"))
    assert plan.target.kind == "attached"
    assert plan.target.allowed


@pytest.mark.parametrize("rate", [501, 600])
def test_more_arrivals_than_a_rate_limit_are_refused(folder: Path, rate: int) -> None:
    description = describe(folder, OPEN.replace("600", str(rate)))
    (problem,) = target_problems(description, TargetOptions(host="http://10.0.0.9"))
    assert problem.where.endswith("steady(rate)")
    assert_found(
        [problem], problem.where, "phase-above-rate-limit", {"rate": rate, "max_rate": 500, "host": "10.0.0.9"}
    )
    assert resolve(description, target=TargetOptions(host="http://staging.example")).phases


def test_a_rate_limit_below_the_number_of_workers_is_refused(folder: Path) -> None:
    with pytest.raises(ManyProblemsError) as raised:
        resolve(describe(folder), workers=501)
    (problem,) = raised.value.problems
    assert_found(
        [found(problem)], "max_rate", "rate-limit-below-workers", {"host": "10.0.0.9", "option": Option("workers", 500)}
    )


@pytest.mark.parametrize(
    ("entry", "code", "params"),
    [
        ("3", "host-invalid", {"value": 3}),
        ('"http://10.0.0.9:80/x"', "host-more-than-a-name", {"value": "http://10.0.0.9:80/x", "meant": "10.0.0.9"}),
        ('"10.0.0.9:80"', "host-more-than-a-name", {"value": "10.0.0.9:80", "meant": "10.0.0.9"}),
        ("{max_rate = 3}", "host-invalid", {"value": None}),
        ('{host = "a", max_rate = 0}', "host-rate-invalid", {"value": 0}),
        ('{host = "a", rate = 3}', "unknown-key", {"word": "rate"}),
    ],
)
def test_an_invalid_host_is_rejected_with_its_line(
    folder: Path, entry: str, code: str, params: dict[str, object]
) -> None:
    (folder / "pyproject.toml").write_text(f"[tool.harness]\nallowed_hosts = [{entry}]\n")
    with pytest.raises(ManyProblemsError) as raised:
        resolve(describe(folder))
    (problem,) = [found(each, folder) for each in raised.value.problems]
    assert "pyproject.toml:2: tool.harness.allowed_hosts" in problem.where
    assert_found([problem], problem.where, code, params)


def test_an_invalid_project_file_is_reported_with_its_line(folder: Path) -> None:
    (folder / "pyproject.toml").write_text("[tool.harness]\nallowed_hosts = [\n")
    with pytest.raises(HarnessError) as raised:
        resolve(describe(folder))
    assert raised.value.code == "toml-invalid"
    assert str(raised.value.where).endswith("pyproject.toml:2")
    assert raised.value.params["text"] == "allowed_hosts = ["


def test_tool_as_something_other_than_a_table_is_named_with_its_line(folder: Path) -> None:
    (folder / "pyproject.toml").write_text("tool = 5\n")
    with pytest.raises(HarnessError) as raised:
        load_project(folder, Problems())
    assert raised.value.code == "tool-not-a-table"
    assert str(raised.value.where).endswith("pyproject.toml:1: tool")


def test_an_unknown_key_of_the_project_is_reported(folder: Path) -> None:
    (folder / "pyproject.toml").write_text("[tool.harness]\nallow_hosts = []\n")
    with pytest.raises(ManyProblemsError) as raised:
        resolve(describe(folder))
    (problem,) = [found(each) for each in raised.value.problems]
    assert_found([problem], problem.where, "unknown-key", {"word": "allow_hosts", "alternatives": "allowed_hosts"})


@pytest.mark.parametrize(
    ("host", "key"),
    [
        ("LOCALHOST", "localhost"),
        ("api.localhost", "localhost"),
        ("127.3.3.3", "localhost"),
        ("[::1]", "localhost"),
        ("::FFFF:10.0.0.9", "10.0.0.9"),
        ("Bücher.example.", "xn--bcher-kva.example"),
        ("2001:DB8:0::1", "2001:db8::1"),
    ],
)
def test_a_host_has_one_spelling(host: str, key: str) -> None:
    assert host_key(host) == key

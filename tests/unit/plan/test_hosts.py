"""Allowed hosts: how they are written, where they come from, and what is refused with which line to add."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.errors import HarnessError, ManyProblemsError
from harness.plan.hosts import host_key
from harness.plan.model import AllowedHost
from harness.plan.profile import load_profile
from harness.plan.resolve import resolve
from harness.plan.target import TargetOptions
from tests.unit.plan.support import describe, target_problems

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


def test_project_profile_and_command_line_allow_together_and_the_lowest_ceiling_holds(folder: Path) -> None:
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


def test_the_line_to_add_is_whole(folder: Path) -> None:
    (expected,) = target_problems(describe(folder), TargetOptions(host="http://10.1.1.1:80"))
    assert (
        'allowed_hosts = ["staging.example", {host = "10.0.0.9", max_rate = 500}, "10.1.1.1"]; for this run alone: '
        "--allow-host 10.1.1.1"
    ) in expected
    assert resolve(describe(folder), target=TargetOptions(host="http://10.0.0.9:80")).target.kind == "attached"


def test_a_scenarios_own_host_may_be_an_allowed_one(folder: Path) -> None:
    plan = resolve(describe(folder, host="https://staging.example/api"))
    assert plan.target.kind == "attached"
    assert plan.target.allowed


@pytest.mark.parametrize("rate", [501, 600])
def test_more_arrivals_than_a_ceiling_are_refused(folder: Path, rate: int) -> None:
    description = describe(folder, OPEN.replace("600", str(rate)))
    (expected,) = target_problems(description, TargetOptions(host="http://10.0.0.9"))
    assert expected.endswith(
        f"steady(rate): {rate} arrivals/s are more than 10.0.0.9 is allowed: its max_rate is 500 requests/s\n"
        "  ask for 500/s at most, or raise max_rate in allowed_hosts"
    )
    assert resolve(description, target=TargetOptions(host="http://staging.example")).phases


def test_a_ceiling_below_the_number_of_workers_is_refused(folder: Path) -> None:
    with pytest.raises(ManyProblemsError, match=r"max_rate: 10\.0\.0\.9 takes 500 requests a second, fewer than there"):
        resolve(describe(folder), workers=501)


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        ("3", "3 is not a host"),
        ('"http://10.0.0.9:80/x"', '"http://10.0.0.9:80/x" is not a host\n  write its name alone, "10.0.0.9"'),
        ('"10.0.0.9:80"', '"10.0.0.9:80" is not a host\n  write its name alone, "10.0.0.9"'),
        ("{max_rate = 3}", "is not a host"),
        ('{host = "a", max_rate = 0}', "0 is not a ceiling"),
        ('{host = "a", rate = 3}', 'unknown key "rate"'),
    ],
)
def test_what_is_no_host_is_told_with_its_line(folder: Path, entry: str, expected: str) -> None:
    (folder / "pyproject.toml").write_text(f"[tool.harness]\nallowed_hosts = [{entry}]\n")
    with pytest.raises(ManyProblemsError) as raised:
        resolve(describe(folder))
    assert "pyproject.toml:2: tool.harness.allowed_hosts" in str(raised.value)
    assert expected in str(raised.value)


def test_a_project_file_that_is_no_toml_is_told_with_its_line(folder: Path) -> None:
    (folder / "pyproject.toml").write_text("[tool.harness]\nallowed_hosts = [\n")
    with pytest.raises(HarnessError, match=r"pyproject.toml:2: not TOML: .*\n  the line is: allowed_hosts = \["):
        resolve(describe(folder))


def test_an_unknown_key_of_the_project_is_told(folder: Path) -> None:
    (folder / "pyproject.toml").write_text("[tool.harness]\nallow_hosts = []\n")
    with pytest.raises(ManyProblemsError, match=r'unknown key "allow_hosts"\n  did you mean "allowed_hosts"\?'):
        resolve(describe(folder))


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

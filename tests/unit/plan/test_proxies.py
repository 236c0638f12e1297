"""``[proxies.NAME]``: which a run has, what a managed target learns of them, and every mistake with its place."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.errors import ManyProblemsError
from harness.plan.hosts import split_address
from harness.plan.profile import load_profile
from harness.plan.resolve import resolve
from tests.unit.plan.support import assert_found, describe, found, plan_of, plan_problems

STEADY = '[[phase]]\nkind = "steady"\nusers = 5\nduration = "30s"\n'
DB = '[proxies.db]\nupstream = "127.0.0.1:5432"\n'


def slow(between: str, name: str = "slow", more: str = "") -> str:
    return f'[[fault]]\nkind = "network"\nname = "{name}"\nbetween = "{between}"\nlatency = "1s"\n{more}'


def test_a_run_has_the_proxies_that_its_faults_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "pyproject.toml").write_text(
        '[tool.harness.proxies.db]\nupstream = "127.0.0.1:1"\n[tool.harness.proxies.cache]\nupstream = "[::1]:6379"\n'
    )
    monkeypatch.chdir(tmp_path)
    mail = '[proxies.mail]\nupstream = "localhost:25"\n'
    plan = plan_of(tmp_path, "", STEADY + DB + mail + slow("db") + slow("cache", "late") + slow("target", "far"))
    assert {proxy.name: proxy.upstream for proxy in plan.proxies} == {
        "db": "127.0.0.1:5432",
        "cache": "[::1]:6379",
        "target": None,
    }
    assert plan_of(tmp_path, "", STEADY).proxies == ()


def test_passwords_of_a_proxy_s_environment_are_not_recorded(tmp_path: Path) -> None:
    environment = 'environment = {DATABASE_URL = "postgresql://me:geheim@{address}/shop"}\n'
    plan = plan_of(tmp_path, "", STEADY + DB + environment + slow("db"))
    assert "geheim" in plan.proxies[0].environment["DATABASE_URL"]
    assert "geheim" not in plan.redacted().model_dump_json()


def test_all_mistakes_are_reported_together(tmp_path: Path) -> None:
    problems = plan_problems(
        tmp_path,
        "",
        STEADY
        + '[proxies.db]\nupstream = "127.0.0.1"\nlisten = "127.0.0.1:99999"\n'
        + '[proxies.cache]\nlistens = "127.0.0.1:1"\n'
        + '[proxies.none]\nlisten = "127.0.0.1:1"\n'
        + '[proxies.target]\nupstream = "127.0.0.1:0"\n'
        + '[proxies."a.b"]\ntoxiproxy = "127.0.0.1:8474"\n'
        + '[proxies.env]\nupstream = "127.0.0.1:1"\nenvironment = {URL = "x://127.0.0.1:1"}\n'
        + '[proxies.half]\ntoxiproxy = "http://[::1"\n'
        + '[proxies.secret]\ntoxiproxy = "http://u:pw@127.0.0.1"\n',
    )
    assert_found(problems, "quick.toml:6: proxies.db.upstream", "proxy-address-invalid", {"value": "127.0.0.1"})
    assert_found(problems, "quick.toml:7: proxies.db.listen", "proxy-address-invalid", {"value": "127.0.0.1:99999"})
    assert_found(
        problems, "quick.toml:9: proxies.cache.listens", "unknown-key", {"word": "listens", "alternatives": "listen"}
    )
    assert_found(problems, "quick.toml:10: proxies.none", "proxy-without-upstream", {})
    assert_found(problems, "quick.toml:12: proxies.target", "proxy-name-invalid", {"name": "target"})
    assert_found(problems, "quick.toml:13: proxies.target.upstream", "proxy-address-invalid", {"value": "127.0.0.1:0"})
    assert_found(problems, "quick.toml:14: proxies.a.b", "proxy-name-invalid", {"name": "a.b"})
    assert_found(problems, "quick.toml:15: proxies.a.b.toxiproxy", "proxy-toxiproxy-invalid", {})
    assert_found(problems, "quick.toml:20: proxies.half.toxiproxy", "proxy-toxiproxy-invalid", {})
    assert_found(
        problems,
        "quick.toml:22: proxies.secret.toxiproxy",
        "proxy-toxiproxy-invalid",
        {"value": "http://***@127.0.0.1"},
    )
    assert_found(problems, "quick.toml:18: proxies.env.environment", "proxy-environment-without-address", {})


@pytest.mark.parametrize("tables", ["proxies = 3", "proxies = [1]", "[proxies]\ndb = 3"])
def test_anything_but_a_table_is_rejected(tmp_path: Path, tables: str) -> None:
    problems = plan_problems(tmp_path, "", f"{tables}\n{STEADY}")
    assert [problem.code for problem in problems] == ["proxies-not-tables"]


def test_a_fault_on_a_proxy_that_is_not_there_is_rejected(tmp_path: Path) -> None:
    problems = plan_problems(tmp_path, "", STEADY + DB + slow("dB"))
    assert_found(
        problems, "quick.toml:10: fault[0].between", "fault-proxy-unknown", {"name": "dB", "alternatives": "db"}
    )


def test_two_faults_on_one_proxy_at_one_time_are_rejected(tmp_path: Path) -> None:
    first, second = slow("db", "one", 'for = "10s"\n'), slow("db", "two", 'at = "5s"\n')
    problems = plan_problems(tmp_path, "", STEADY + DB + first + second)
    assert_found(problems, "quick.toml:13: fault[1]", "faults-overlap", {"thing": "proxy db"})
    later = second.replace("5s", "10s")
    assert len(plan_of(tmp_path, "", STEADY + DB + first + later).faults) == 2


@pytest.mark.parametrize(
    ("line", "key"),
    [
        ('upstream = "db.example:5432"', "upstream"),
        ('upstream = "127.0.0.1:1"\nlisten = "0.0.0.0:6432"', "listen"),
        ('toxiproxy = "http://10.1.2.3:8474"', "toxiproxy"),
    ],
)
def test_another_machine_must_be_allowed(tmp_path: Path, line: str, key: str) -> None:
    profile = f"{STEADY}[proxies.db]\n{line}\n{slow('db')}"
    (problem,) = plan_problems(tmp_path, "", profile)
    assert (problem.code, problem.where.rpartition(".")[2]) == ("proxy-address-not-allowed", key)
    plan_of(tmp_path, "", f'allowed_faults = ["{problem.params["address"]}"]\n{profile}')


def test_two_proxies_share_neither_an_address_nor_a_variable(tmp_path: Path) -> None:
    rest = 'listen = "127.0.0.1:6432"\nenvironment = {URL = "{address}"}\n'
    tables = f'{DB}{rest}[proxies.cache]\nupstream = "127.0.0.1:6379"\n{rest}'
    problems = plan_problems(tmp_path, "", STEADY + tables + slow("db") + slow("cache", "late"))
    assert {(problem.code, problem.params["value"]) for problem in problems} == {
        ("proxy-value-twice", "127.0.0.1:6432"),
        ("proxy-value-twice", "URL"),
    }
    assert len(problems) == 2
    plan_of(tmp_path, "", STEADY + tables + slow("db"))


def test_no_proxy_is_put_before_a_target_for_workers_of_other_machines(tmp_path: Path) -> None:
    path = tmp_path / "quick.toml"
    path.write_text(STEADY + slow("target"))
    with pytest.raises(ManyProblemsError) as refused:
        resolve(describe(tmp_path), profile=load_profile(str(path)), remote_workers=1)
    assert [found(problem, tmp_path).code for problem in refused.value.problems] == ["proxy-on-other-machines"]


def test_no_proxy_is_put_before_a_target_without_an_address(tmp_path: Path) -> None:
    path = tmp_path / "quick.toml"
    path.write_text(STEADY + slow("target"))
    with pytest.raises(ManyProblemsError) as refused:
        resolve(describe(tmp_path, host="", is_http=False), profile=load_profile(str(path)))
    assert [found(problem, tmp_path).code for problem in refused.value.problems] == ["proxies-without-target"]


def test_addresses_have_a_host_and_a_port() -> None:
    assert split_address("127.0.0.1:5432") == ("127.0.0.1", 5432)
    assert split_address("[::1]:5432") == ("::1", 5432)
    assert split_address("db-1.example:1") == ("db-1.example", 1)


@pytest.mark.parametrize("tables", ["proxies = 3\n", '[proxies.db]\nupstream = "127.0.0.1"\n'])
def test_a_fault_on_an_invalid_proxy_is_not_a_further_problem(tmp_path: Path, tables: str) -> None:
    (problem,) = plan_problems(tmp_path, "", tables + STEADY + slow("db"))
    assert problem.code in ("proxies-not-tables", "proxy-address-invalid")

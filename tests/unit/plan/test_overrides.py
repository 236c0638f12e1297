"""``--set`` changes one value of scenario or profile; for what it cannot change it suggests what exists."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from harness import steady
from harness.errors import ManyProblemsError
from harness.plan.overrides import Override
from harness.plan.resolve import resolve
from tests.unit.plan.support import assert_found, describe, plan_of, plan_problems

PROFILE = """
[[phase]]
name = "warm-up"
kind = "ramp"
users = 50
duration = "15s"
[[phase]]
kind = "steady"
users = 50
duration = "1m"
[[phase]]
kind = "stress"
rate = {from = 10, to = 30, step = 10, every = "5s"}
until = "p95 > 1s"
[[gate]]
require = "p95 < 500ms"
phase = "steady"
[sampling]
memory = true
"""
ENDLESS: list[object] = []
ENDLESS.append(ENDLESS)
SCENARIO = """
phases = [ramp(users=50, over="15s"), stress(users=(10, 30, 10), every="5s", until="p95 > 1s")]
sampling = {"memory": False}
"""


def test_a_phase_is_named_by_name_or_number(tmp_path: Path) -> None:
    plan = plan_of(tmp_path, "", PROFILE, "phase.steady.duration=30s", "phase.0.duration=3", "phase.warm-up.users=7")
    assert [phase.duration_s for phase in plan.phases] == [3, 30, 15, 10]
    assert plan.phases[0].segments[0].end == 7
    assert plan.overrides == ("phase.steady.duration=30s", "phase.0.duration=3", "phase.warm-up.users=7")


def test_values_within_tables_gates_and_settings_are_changed(tmp_path: Path) -> None:
    plan = plan_of(
        tmp_path,
        "",
        PROFILE,
        "phase.stress.rate.to=20",
        "gate.0.require=p99 < 2s",
        "sampling.memory.duration=1m",
        "sampling.cpu=false",
        "workers=3",
        "stop_early=true",
        "seed = 7",
        "target.environment.SHOP_DEFECTS=slow_search:3",
    )
    assert len(plan.phases[2].segments) == 2
    assert plan.gates[0].comparison.source == "p99 < 2s"
    assert plan.sampling.memory is not None
    assert (plan.sampling.memory.duration_s, plan.sampling.cpu) == (60, None)
    assert (plan.workers, plan.stop_early, plan.seed) == (3, True, 7)
    assert plan.target.model_dump() == {"kind": "shop", "environment": {"SHOP_DEFECTS": "slow_search:3"}}


def test_users_take_the_place_of_a_rate_and_a_table_the_place_of_a_value(tmp_path: Path) -> None:
    plan = plan_of(tmp_path, "", PROFILE, "phase.steady.rate=200/s", "phase.warm-up.users={from = 5, to = 9}")
    assert (plan.phases[1].model, plan.phases[1].segments[0].end) == ("open", 200)
    assert (plan.phases[0].segments[0].start, plan.phases[0].segments[0].end) == (5, 9)


def test_a_scenarios_own_words_are_understood_as_well_as_a_profiles(tmp_path: Path) -> None:
    plan = plan_of(tmp_path, SCENARIO, None, "phase.ramp.over=3s", "phase.stress.every=1s", "phase.stress.users.to=20")
    assert [phase.duration_s for phase in plan.phases] == [3, 2]
    assert plan_of(tmp_path, SCENARIO, None, "phase.ramp.duration=4s").phases[0].duration_s == 4


def test_the_default_phases_can_be_changed(tmp_path: Path) -> None:
    assert plan_of(tmp_path, "", None, "phase.steady.duration=5s").phases[1].duration_s == 5


def test_a_later_override_wins(tmp_path: Path) -> None:
    assert plan_of(tmp_path, "", PROFILE, "workers=2", "workers=4").workers == 4


@pytest.mark.parametrize(
    ("override", "code", "params"),
    [
        ("workers", "override-not-key-value", {}),
        ("a..b=3", "override-not-key-value", {}),
        ("worker=3", "unknown-key", {"word": "worker", "alternatives": "workers"}),
        ("phase.steady=3", "override-of-whole-table", {}),
        ("gate.0=3", "override-of-whole-table", {}),
        (
            "phase.stedy.users=3",
            "override-unknown-element",
            {"kind": "phase", "name": "stedy", "alternatives": "steady"},
        ),
        (
            "phase.9.users=3",
            "override-unknown-element",
            {"kind": "phase", "name": "9", "alternatives": ["warm-up", "steady", "stress"]},
        ),
        ("gate.1.phase=x", "override-unknown-element", {"kind": "gate", "name": "1", "alternatives": ["0"]}),
        ("phase.steady.user=3", "unknown-key", {"word": "user", "alternatives": "users"}),
        ("phase.steady.users.to=3", "override-below-value", {"key": "users", "value": 50}),
        ("phase.steady.users=many", "users-invalid", {"value": "many"}),
        ("gate.0.phase=stres", "gate-unknown-phase", {"phase": "stres", "alternatives": "stress"}),
        ("sampling.memry=false", "unknown-key", {"word": "memry", "alternatives": "memory"}),
        ("phase=3", "override-of-whole-table", {}),
    ],
)
def test_a_problem_is_reported_with_the_override_it_is_in(
    tmp_path: Path, override: str, code: str, params: dict[str, object]
) -> None:
    (problem,) = plan_problems(tmp_path, "", PROFILE, override)
    assert_found([problem], f"--set {override}", code, params)


@pytest.mark.parametrize(
    ("key", "value", "code"),
    [
        ("stop_timeout", "9" * 400, "duration-invalid"),
        ("stop_timeout", "9" * 5000, "duration-without-unit"),
        ("stop_timeout", "[" * 3000, "duration-invalid"),
        ("stop_timeout", "[" * 3000 + "]" * 3000, "duration-invalid"),
        ("phase.steady.rate", "9" * 400, "rate-invalid"),
        ("phase.steady.users", "9" * 400, "users-too-many"),
        ("phase.steady.users", "9" * 5000, "users-invalid"),
        ("phase.stress.rate.to", "9" * 400, "rate-invalid"),
        ("phase.stress.until", f"p95 > {'9' * 400}ms", "limit-too-large"),
        ("gate.0.require", f"p95 < {'9' * 400}ms", "limit-too-large"),
        ("gate.0.require", f"p95 < baseline + {'9' * 400}%", "limit-too-large"),
    ],
)
def test_numbers_and_nesting_beyond_all_use_are_rejected(tmp_path: Path, key: str, value: str, code: str) -> None:
    (problem,) = plan_problems(tmp_path, "", PROFILE, f"{key}={value}")
    assert problem.code == code


def test_numpys_numbers_are_numbers(tmp_path: Path) -> None:
    given = [("workers", np.int64(3)), ("stop_timeout", np.float32(2.5)), ("target.environment.PORT", np.int32(80))]
    phases = [steady(users=np.int64(5), hold=np.float32(1.5))]  # type: ignore[arg-type]  # as notebooks give them
    plan = resolve(describe(tmp_path), phases=phases, overrides=given)
    assert (plan.workers, plan.stop_timeout_s, plan.overrides[0]) == (3, 2.5, "workers=3")
    assert plan.target.model_dump()["environment"] == {"PORT": "80"}
    assert (plan.phases[0].segments[0].start, plan.phases[0].duration_s) == (5, 1.5)


def test_a_gate_cannot_be_changed_where_there_is_none(tmp_path: Path) -> None:
    (problem,) = plan_problems(tmp_path, "", None, "gate.0.require=p95 < 1s")
    assert_found(
        [problem],
        "--set 'gate.0.require=p95 < 1s'",
        "override-unknown-element",
        {"kind": "gate", "name": "0", "alternatives": []},
    )


def test_a_python_value_is_kept_and_its_text_means_the_same(tmp_path: Path) -> None:
    """Read as TOML, "8080" would be a number, and "true" a truth."""
    values = {
        "PORT": "8080",
        "DEBUG": "true",
        "DATA": tmp_path / "my data",
        "WORDS": '"quoted"',
        "BLANKS": "  a\tb\x7f ",
        "LIST": "[1, 2]",
        "EMPTY": "",
    }
    given = [(f"target.environment.{name}", value) for name, value in values.items()]
    plan = resolve(describe(tmp_path), overrides=given)
    assert plan.target.model_dump()["environment"] == {name: str(value) for name, value in values.items()}
    assert resolve(describe(tmp_path), overrides=plan.overrides).target == plan.target
    assert plan.overrides[0] == 'target.environment.PORT="8080"'


def test_tables_and_lists_of_python_are_tables_and_lists(tmp_path: Path) -> None:
    given = [
        ("sampling", {"cpu": False, "memory": {"duration": "1m"}}),
        ("allowed_hosts", ["a.example", {"host": "b.example", "max_rate": 500}]),
        ("phase.steady.users", 3),
        ("target.environment", {"a key": "1", "B": "x"}),
        ("stop_timeout", 0.5),
    ]
    plan = resolve(describe(tmp_path), overrides=given)
    assert plan.sampling.cpu is None
    assert plan.sampling.memory is not None
    assert plan.sampling.memory.duration_s == 60
    assert [(host.host, host.max_rate) for host in plan.allowed_hosts] == [("a.example", None), ("b.example", 500)]
    again = resolve(describe(tmp_path), overrides=plan.overrides, seed=plan.seed)
    assert again == plan


@pytest.mark.slow
@pytest.mark.parametrize(
    ("override", "where", "code"),
    [
        (("sampling.memory", None), "set['sampling.memory']", "value-not-toml"),
        (("workers", {1: 2}), "set['workers']", "value-not-toml"),
        (("sampling", ENDLESS), "set['sampling']", "value-nested-too-deeply"),
        (("seed", 10**400), "set['seed']", "value-not-toml"),
        (("seed", 10**5000), "set['seed']", "value-not-toml"),
        (("target.environment.X", "\udcff"), "set['target.environment.X']", "value-not-utf8"),
        (("phase.steady.hodl", "3s"), "set['phase.steady.hodl']", "unknown-key"),
        (("workers", "2"), "set['workers']", "number-out-of-range"),
        ((3, "2"), "set[3]", "override-not-key-value"),
        (("workers=3", "2"), "set['workers=3']", "override-not-key-value"),
    ],
)
def test_a_value_that_no_plan_has_is_reported_with_its_key(
    tmp_path: Path, override: Override, where: str, code: str
) -> None:
    with pytest.raises(ManyProblemsError) as raised:
        resolve(describe(tmp_path), overrides=[override])
    first = raised.value.problems[0]
    assert (first.where, first.code) == (where, code)
    assert str(first).isprintable() or "\n" in str(first)


@pytest.mark.parametrize(
    ("override", "shown"),
    [
        (("target.environment.API_TOKEN", "two words"), "target.environment.API_TOKEN=***"),
        ("target.environment.PIN_TOKEN='7'", "target.environment.PIN_TOKEN=***"),
        (
            ("target.environment", {"db_pass": "hunter2", "PORT": "1"}),
            'target.environment={db_pass = "***", PORT = "1"}',
        ),
        (
            'target.environment={db_pass = "hunter2", URL = "http://u:hunter2@host"}',
            'target.environment={db_pass = "***", URL = "http://***@host"}',
        ),
        ("target.command=server --db-pass hunter2", "target.command=server --db-pass ***"),
        ("target.command=env db_pass=hunter2 server", "target.command=env db_pass=*** server"),
        ("target={command = 'env db_pass=hunter2 server'}", 'target={command = "env db_pass=*** server"}'),
        ("stop_timeout = 3s", "stop_timeout = 3s"),
    ],
)
def test_a_secret_is_not_written_down_with_the_plan(tmp_path: Path, override: Override, shown: str) -> None:
    redacted = resolve(describe(tmp_path), overrides=[override]).redacted()
    assert redacted.overrides == (shown,)
    assert "hunter2" not in redacted.model_dump_json()

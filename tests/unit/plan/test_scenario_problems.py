"""Problems of a scenario file are reported all at once, with their lines and in its own words."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.errors import ManyProblemsError
from harness.messages import Message
from tests.unit.plan.support import assert_found, plan_of, plan_problems


@pytest.mark.parametrize(
    ("line", "where", "code", "params"),
    [
        (
            "phases = [steady(user=50, hold='30s')]",
            "scenarios/shop.py:2: steady(user)",
            "unknown-key",
            {"word": "user", "alternatives": "users"},
        ),
        (
            "phases = [steady(users=50, duration='30s')]",
            "scenarios/shop.py:2: steady(duration)",
            "unknown-key",
            {"word": "duration", "alternatives": "hold"},
        ),
        ("phases = [steady(users=50)]", "scenarios/shop.py:2: steady", "key-missing", {"word": "hold"}),
        (
            "phases = [ramp(users=50, over='10 sec')]",
            "scenarios/shop.py:2: ramp(over)",
            "duration-misspelled",
            {"value": "10 sec", "meant": "10s"},
        ),
        (
            "phases = [steady(users=50, hold='-5s')]",
            "scenarios/shop.py:2: steady(hold)",
            "duration-not-positive",
            {"value": "-5s"},
        ),
        ("phases = [steady(users=50, rate=3, hold=5)]", "scenarios/shop.py:2: steady(rate)", "phase-two-goals", {}),
        ("phases = [steady(hold=5)]", "scenarios/shop.py:2: steady", "phase-without-goal", {}),
        ("phases = [steady(users=0, hold=5)]", "scenarios/shop.py:2: steady(users)", "users-zero", {}),
        ("phases = [steady(rate=0, hold=5)]", "scenarios/shop.py:2: steady(rate)", "rate-zero", {}),
        (
            "phases = [steady(users=5, hold=5, max_users=9)]",
            "scenarios/shop.py:2: steady(max_users)",
            "phase-key-of-open-model",
            {"word": "max_users"},
        ),
        (
            "phases = [steady(rate=5, hold=5, spacing='evn')]",
            "scenarios/shop.py:2: steady(spacing)",
            "value-unknown",
            {"value": "evn", "alternatives": "even"},
        ),
        (
            "phases = [stress(users=(50, 400), every='5s', until='p95 > 1s')]",
            "scenarios/shop.py:2: stress(users)",
            "level-missing",
            {"word": "users[2] (step)"},
        ),
        (
            "phases = [stress(users=(50, 400, 50, 9), every='5s', until='p95 > 1s')]",
            "scenarios/shop.py:2: stress(users)",
            "level-surplus",
            {"word": "users[3]"},
        ),
        (
            "phases = [ramp(users=(50, 400, 50), over='5s')]",
            "scenarios/shop.py:2: ramp(users)",
            "level-surplus",
            {"word": "users[2]"},
        ),
        (
            "phases = [stress(users=400, every='5s', until='p95 > 1s')]",
            "scenarios/shop.py:2: stress(users)",
            "goal-is-one-value",
            {"value": 400, "parts": ("from", "to", "step", "every")},
        ),
        (
            "phases = [stress(users=(50, 400, 50), until='p95 > 1s')]",
            "scenarios/shop.py:2: stress(users)",
            "key-missing",
            {"word": "every"},
        ),
        (
            "phases = [stress(users=(50, 400, 50), every='5s')]",
            "scenarios/shop.py:2: stress",
            "key-missing",
            {"word": "until"},
        ),
        (
            "phases = [stress(rate=(50, 5, 5), every='5s', until='p95 > 1s')]",
            "scenarios/shop.py:2: stress(rate)",
            "stress-not-upwards",
            {"start": 50.0, "end": 5.0},
        ),
        (
            "phases = [search(rate=(9, 9), until='p95 > 1s')]",
            "scenarios/shop.py:2: search(rate)",
            "search-not-upwards",
            {"start": 9.0, "end": 9.0},
        ),
        (
            "phases = [search(users=(2, 9), until='capacity_users > 5')]",
            "scenarios/shop.py:2: search(until)",
            "limit-on-target",
            {"metric": "capacity_users"},
        ),
        (
            "phases = [stress(rate=(1, 50000, 1), every='5s', until='p95 > 1s')]",
            "scenarios/shop.py:2: stress(rate)",
            "stress-too-many-steps",
            {"most": 1000},
        ),
        (
            "phases = [stress(users=(1, 5, 1), every='5s', until='p95 > 500')]",
            "scenarios/shop.py:2: stress(until)",
            "limit-without-unit",
            {"text": "p95 > 500", "meant": "p95 > 500ms"},
        ),
        (
            "phases = [steady(users=50, hold=1), spike(users=40, hold=1)]",
            "scenarios/shop.py:2: spike(users)",
            "spike-not-above-base",
            {"peak": "40 users", "base": "50"},
        ),
        (
            "phases = [spike(rate=40, hold=1, base=60)]",
            "scenarios/shop.py:2: spike(base)",
            "spike-not-above-base",
            {"peak": "40 arrivals/s", "base": "60"},
        ),
        (
            "phases = [spike(users=40, hold=1, base=2.5)]",
            "scenarios/shop.py:2: spike(base)",
            "users-invalid",
            {"value": 2.5},
        ),
        ("phases = [pause()]", "scenarios/shop.py:2: pause", "key-missing", {"word": "duration"}),
        (
            "phases = [pause(5, name='so far')]",
            "scenarios/shop.py:2: pause(name)",
            "phase-name-misspelled",
            {"name": "so far", "meant": "so-far"},
        ),
        (
            "phases = [pause(5, name='diagnose')]",
            "scenarios/shop.py:2: pause(name)",
            "phase-name-reserved",
            {"name": "diagnose"},
        ),
        (
            "phases = [pause(5, name='a'),\n pause(6, name='a')]",
            "scenarios/shop.py:3: pause(name)",
            "phase-name-twice",
            {"name": "a", "other": "scenarios/shop.py:2: pause(name)"},
        ),
        ("phases = ['steady']", "scenarios/shop.py:2: phases", "scenario-wrong-value", {"value": "steady"}),
        ("phases = [gate('p95 < 1s')]", "scenarios/shop.py:2: phases", "scenario-wrong-call", {"call": "gate"}),
        (
            "phases = steady(users=1, hold=1)",
            "scenarios/shop.py:2: phases",
            "scenario-not-a-list",
            {"name": "phases", "kind": "phase"},
        ),
        ("phases = []", "scenarios/shop.py:2: phases", "no-phases", {}),
        ("gates: list = ['p95 < 1s']", "scenarios/shop.py:2: gates", "scenario-wrong-value", {"value": "p95 < 1s"}),
        (
            "gates = [\n  gate('p95 < 500'),\n]",
            "scenarios/shop.py:3: gate(require)",
            "limit-without-unit",
            {"text": "p95 < 500", "meant": "p95 < 500ms"},
        ),
        ("gates = [gate(phase='steady')]", "scenarios/shop.py:2: gate", "key-missing", {"word": "require"}),
        (
            "gates = [gate('p95 < 1s', phase='stedy')]",
            "scenarios/shop.py:2: gate(phase)",
            "gate-unknown-phase",
            {"phase": "stedy", "alternatives": "steady"},
        ),
        (
            "gates = [gate('p95 < 1s', phase='diagnose')]",
            "scenarios/shop.py:2: gate(phase)",
            "gate-on-diagnose",
            {"known": ["ramp", "steady"]},
        ),
        (
            "gates = [gate('p95 < 1s', phase='pause')]\nphases = [pause(1), steady(users=1, hold=1)]",
            "scenarios/shop.py:2: gate(phase)",
            "gate-on-phase-without-load",
            {"phase": "pause", "known": ["steady"]},
        ),
        (
            "gates = [gate('p95 < 1s')]\nphases = [ramp(users=1, over=1)]",
            "scenarios/shop.py:2: gate",
            "gate-without-measured-phase",
            {"measured": ["steady", "spike", "shape"], "known": ["ramp"]},
        ),
        (
            "gates = [gate('p95 < 1s', phase=5)]",
            "scenarios/shop.py:2: gate(phase)",
            "value-of-wrong-type",
            {"value": 5, "wanted": "a string in quotes"},
        ),
        (
            "gates = [gate('p95 < 1s', endpoint='/checkout')]",
            "scenarios/shop.py:2: gate(endpoint)",
            "endpoint-invalid",
            {"value": "/checkout"},
        ),
        (
            "gates = [gate('cpu_per_request < 6ms', endpoint='POST /checkout')]",
            "scenarios/shop.py:2: gate(endpoint)",
            "gate-endpoint-of-target",
            {"metric": "cpu_per_request"},
        ),
        (
            "sampling = {'mem': False}",
            "scenarios/shop.py:2: sampling.mem",
            "unknown-key",
            {"word": "mem", "alternatives": "memory"},
        ),
        (
            "sampling = {'cpu': {'rate_hz': 0}}",
            "scenarios/shop.py:2: sampling.cpu.rate_hz",
            "number-out-of-range",
            {"value": 0, "least": 1, "most": 1000},
        ),
        ("sampling = {'cpu': 'on'}", "scenarios/shop.py:2: sampling.cpu", "switch-invalid", {"value": "on"}),
        ("sampling = 5", "scenarios/shop.py:2: sampling", "value-of-wrong-type", {"value": 5, "wanted": "a table"}),
        (
            "stop_early = 'yes'",
            "scenarios/shop.py:2: stop_early",
            "value-of-wrong-type",
            {"value": "yes", "wanted": "true or false"},
        ),
    ],
)
def test_a_problem_is_reported_with_its_line(
    tmp_path: Path, line: str, where: str, code: str, params: dict[str, object]
) -> None:
    assert_found(plan_problems(tmp_path, line), where, code, params)


def test_all_problems_of_a_file_are_reported_in_their_order(tmp_path: Path) -> None:
    text = """
phases = [
    ramp(users=50, over="10 sec"),
    stress(rate=(5, 50, 5), every=0, until="p98 > 1s"),
]
gates = [gate("p95 < 500", phase="stres")]
sampling = {"cpu": 1}
"""
    assert [problem.where.split(":")[1] for problem in plan_problems(tmp_path, text)] == ["4", "5", "5", "7", "7", "8"]


def test_the_known_keys_are_listed_in_the_scenarios_words(tmp_path: Path) -> None:
    with pytest.raises(ManyProblemsError) as raised:
        plan_of(tmp_path, "phases = [steady(user=50, hold='30s')]")
    alternatives = next(problem for problem in raised.value.problems if problem.code == "unknown-key").params[
        "alternatives"
    ]
    assert isinstance(alternatives, Message)
    assert alternatives.params["known"] == ["name", "max_users", "spacing", "users", "rate", "hold"]


def test_a_variable_set_by_import_has_no_line_but_its_file(tmp_path: Path) -> None:
    (problem,) = plan_problems(tmp_path, "globals()['stop_early'] = 3")
    assert_found([problem], "scenarios/shop.py: stop_early", "value-of-wrong-type", {"value": 3})

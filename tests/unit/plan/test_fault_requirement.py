"""Gates on faults: what they mean, and which are rejected, with their place."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.plan.config_source import ConfigSource
from harness.plan.expression import parse_limit, parse_requirement
from harness.plan.gating import read_gates
from harness.plan.model.run import Gate
from harness.plan.problems import Problems
from tests.unit.plan.support import Found, assert_found, assert_invalid, found

FAULTS = {"db slow": "steady", "restart": "spike"}


@pytest.mark.parametrize(
    ("text", "meaning"),
    [
        ('error_rate < 5% during "db slow"', ("error_rate", 5, "%", "db slow", None)),
        ("p95 < 2s During 'db slow'", ("p95", 2000, "ms", "db slow", None)),
        ('throughput >= 450/s during "db slow"', ("throughput", 450, "/s", "db slow", None)),
        ('metric("pool").max <= 18 during "db slow"', ('metric("pool").max', 18, "", "db slow", None)),
        ('recovery_time < 10s after "db slow"', ("recovery_time", 10, "s", None, "db slow")),
        ("Recovery_Time <= 1.5m AFTER ' db slow '", ("recovery_time", 90, "s", None, "db slow")),
    ],
)
def test_a_requirement_may_name_a_fault(text: str, meaning: tuple[str, float, str, str | None, str | None]) -> None:
    read = parse_requirement(text)
    assert (read.metric, read.value, read.unit, read.during, read.after) == meaning
    assert (read.source, read.fault, read.recovered) == (text, "db slow", None)


def test_a_requirement_may_compare_a_fault_with_that_of_the_baseline() -> None:
    read = parse_requirement('p95 <= baseline + 20% during "db slow"')
    assert (read.baseline, read.value, read.unit, read.during) == (True, 20, "%", "db slow")


@pytest.mark.parametrize(
    ("condition", "meaning"),
    [
        ("error_rate < 1%", [["error_rate"]]),
        ("p95 < 500ms and error_rate <= 0%", [["p95", "error_rate"]]),
        ("p95 < 500ms and error_rate < 1% or p50 < 10ms", [["p95", "error_rate"], ["p50"]]),
    ],
)
def test_a_recovery_may_have_a_condition(condition: str, meaning: list[list[str]]) -> None:
    read = parse_requirement(f'recovery_time({condition}) < 10s after "db slow"')
    assert read.recovered is not None
    assert [[part.metric for part in group] for group in read.recovered.any_of] == meaning
    assert read.recovered.source == condition
    again = type(read).model_validate_json(read.model_dump_json())
    assert again == read


@pytest.mark.parametrize(
    ("text", "code", "params"),
    [
        ("recovery_time < 10s", "recovery-without-fault", {"bare": "recovery_time < 10s"}),
        ('recovery_time < 10s during "x"', "recovery-without-fault", {"bare": "recovery_time < 10s", "name": "x"}),
        ('error_rate < 1% after "x"', "after-without-recovery", {"bare": "error_rate < 1%", "name": "x"}),
        ('p95 no step up during "x"', "fault-with-step", {"meant": 'p95 <= baseline + 20% during "x"'}),
        ('throughput no step down during "x"', "fault-with-step", {"meant": 'throughput >= baseline - 20% during "x"'}),
        ('recovery_time <= baseline + 10% after "x"', "recovery-with-baseline", {"name": "x"}),
        ('recovery_time no step up after "x"', "recovery-with-baseline", {"name": "x"}),
        ('capacity >= 100/s during "x"', "fault-not-by-second", {"metric": "capacity"}),
        ('verify("lost") <= 0 during "x"', "fault-not-by-second", {}),
        ('p95 < 1s during " "', "fault-name-empty", {}),
        ('recovery_time(mean < 1s) < 10s after "x"', "recovery-condition-invalid", {"text": "mean < 1s"}),
        ('recovery_time(throughput > 5/s) < 10s after "x"', "recovery-condition-invalid", {}),
        ('recovery_time(p95 > 1s) < 10s after "x"', "recovery-condition-invalid", {}),
        ('recovery_time(p95 < 1) < 10s after "x"', "limit-without-unit", {}),
        ("p95 < 1s during db slow", "requirement-unexpected-word", {"expected": ["a fault's name in quotes"]}),
        ("p95 < 1s during", "requirement-incomplete", {"expected": ["a fault's name in quotes"]}),
        ('p95(error_rate < 1%) < 1s during "x"', "requirement-unexpected-word", {"column": 4}),
        ('recovery_time < 5 after "x"', "limit-without-unit", {"meant": 'recovery_time < 5s after "x"'}),
        ('p95 < 1s during "x" and p99 < 2s', "requirement-joined", {}),
    ],
)
def test_a_meaningless_requirement_on_a_fault_is_rejected(text: str, code: str, params: dict[str, object]) -> None:
    assert_invalid(parse_requirement, text, code, params)


@pytest.mark.parametrize("text", ["p95 > 1s during 'x'", "recovery_time > 1s after 'x'"])
def test_the_limit_of_a_step_names_no_fault(text: str) -> None:
    assert_invalid(parse_limit, text, "limit-on-fault", {"text": text})


@given(st.text(st.characters(blacklist_characters="\"'", blacklist_categories=("Cs", "Cc")), min_size=1))
def test_any_name_can_be_quoted(name: str) -> None:
    if name.strip():
        assert parse_requirement(f'error_rate < 5% during "{name}"').during == name.strip()


def gates(require: str, **more: str) -> tuple[list[Gate], list[Found]]:
    table = {"require": require, **more}
    source = ConfigSource({"gate": [table]}, {("gate", 0, key): f"a.toml:{line}" for line, key in enumerate(table, 2)})
    problems = Problems()
    read = read_gates(source, {"steady": "steady", "spike": "spike", "up": "ramp"}, problems, (), None, FAULTS)
    return read, [found(problem) for problem in problems._found]


@pytest.mark.parametrize("more", [{}, {"phase": "steady"}, {"endpoint": "POST /checkout"}])
@pytest.mark.parametrize("text", ["p95 < 2s during 'db slow'", "recovery_time < 3s after 'db slow'"])
def test_a_gate_on_a_fault_reads_its_phase(text: str, more: dict[str, str]) -> None:
    [read], problems = gates(text, **more)
    assert (read.phase, read.endpoint, problems) == ("steady", more.get("endpoint"), [])


@pytest.mark.parametrize(
    ("text", "more", "where", "code", "params"),
    [
        ("p95 < 2s during 'db slwo'", {}, "a.toml:2", "gate-unknown-fault", {"alternatives": "db slow"}),
        ("recovery_time < 2s after 'other'", {}, "a.toml:2", "gate-unknown-fault", {"alternatives": [*FAULTS]}),
        (
            "p95 < 2s during 'db slow'",
            {"phase": "spike"},
            "a.toml:3",
            "gate-on-fault-of-other-phase",
            {"phase": "steady"},
        ),
    ],
)
def test_a_gate_on_an_unknown_fault_is_reported_with_its_place(
    text: str, more: dict[str, str], where: str, code: str, params: dict[str, object]
) -> None:
    _, problems = gates(text, **more)
    assert_found(problems, where, code, params)

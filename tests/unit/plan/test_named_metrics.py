"""Gates on metrics that a scenario names: the checks of its tasks, the figures of its ``verify``."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.errors import ManyProblemsError
from harness.plan.duet import duet_plan
from harness.plan.expression import parse_limit, parse_requirement
from harness.plan.gating import requested_gates
from harness.plan.model.run import RunPlan
from harness.plan.requirement import Comparison
from harness.plan.resolve import resolve
from tests.unit.plan.support import Found, assert_found, assert_invalid, describe, found


@pytest.mark.parametrize(
    ("text", "meaning"),
    [
        ('check("total is right") >= 99.9%', ('check("total is right")', ">=", 99.9, "%", False)),
        ("Check( 'x' )>=99%", ('check("x")', ">=", 99, "%", False)),
        ("""check('a "b"') >= 99%""", ("""check('a "b"')""", ">=", 99, "%", False)),
        ('check("x") >= baseline - 1%', ('check("x")', ">=", -1, "%", True)),
        ('check("x") >= 99% during "db slow"', ('check("x")', ">=", 99, "%", False)),
        ('verify("lost writes") = 0', ('verify("lost writes")', "=", 0, "", False)),
        ('verify("lost writes") == 3', ('verify("lost writes")', "=", 3, "", False)),
        ('verify("lost writes") <= 1.5', ('verify("lost writes")', "<=", 1.5, "", False)),
    ],
)
def test_a_named_metric_is_read(text: str, meaning: tuple[str, str, float, str, bool]) -> None:
    read = parse_requirement(text)
    assert (read.metric, read.comparator, read.value, read.unit, read.baseline) == meaning
    assert Comparison.model_validate_json(read.model_dump_json()) == read


@pytest.mark.parametrize(
    ("text", "code", "params"),
    [
        ('check("x") = 99%', "comparison-misspelled", {"word": "=", "meant": 'check("x") <= 99%'}),
        ('check("") >= 99%', "named-metric-empty", {"text": 'check("") >= 99%'}),
        ('check("x") >= 99', "limit-without-unit", {"metric": 'check("x")', "meant": 'check("x") >= 99%'}),
        ('check("x") >= 101%', "limit-out-of-range", {"metric": 'check("x")'}),
        ('verify("x") = 3ms', "limit-of-wrong-unit", {"metric": 'verify("x")', "unit": "ms"}),
        ('verify("x") <= baseline', "figure-with-baseline", {"metric": 'verify("x")'}),
        ('verify("x") no step up', "figure-with-baseline", {"metric": 'verify("x")'}),
        ("p95 = 3ms", "comparison-misspelled", {"word": "="}),
        ('verify("x") = 3 during "db slow"', "fault-not-by-second", {"metric": 'verify("x")'}),
        ('recovery_time(check("x") < 5%) < 9s after "db slow"', "recovery-condition-invalid", {}),
        ("check >= 99%", "metric-unknown", {"word": "check"}),
    ],
)
def test_a_wrong_one_is_named(text: str, code: str, params: dict[str, object]) -> None:
    assert_invalid(parse_requirement, text, code, params)


def test_a_limit_of_a_stress_phase_cannot_be_one() -> None:
    assert_invalid(parse_limit, 'check("x") < 99%', "limit-on-target", {"metric": 'check("x")'})


def plan_with(folder: Path, *gates: str, has_verify: bool = True) -> RunPlan:
    text = f"phases = [steady(users=1, hold='4s')]; gates = [{', '.join(gates)}]\n"
    figures = {"has_verify": has_verify, "figures": ("lost_writes", "p95") if has_verify else ()}
    return resolve(describe(folder, text).model_copy(update=figures))


def problems(folder: Path, *gates: str, has_verify: bool = True) -> list[Found]:
    with pytest.raises(ManyProblemsError) as raised:
        plan_with(folder, *gates, has_verify=has_verify)
    return [found(problem, folder) for problem in raised.value.problems]


def test_a_word_that_verify_mentions_is_its_figure(tmp_path: Path) -> None:
    plan = plan_with(tmp_path, "gate('lost_writes = 0')", "gate('p95 < 1s')", "gate(' lost_writes<=3 ')")
    found = [(gate.comparison.metric, gate.comparison.source) for gate in plan.gates]
    assert found == [
        ('verify("lost_writes")', "lost_writes = 0"),
        ("p95", "p95 < 1s"),
        ('verify("lost_writes")', "lost_writes<=3"),
    ]
    again = (requested_gates(plan, require=["lost_writes < 2"]) or [])[0]
    assert (again.comparison.metric, again.comparison.comparator) == ('verify("lost_writes")', "<")


def test_a_duet_keeps_the_gates_on_figures_of_verify(tmp_path: Path) -> None:
    plan = plan_with(tmp_path, "gate('lost_writes = 0')", "gate('p95 <= baseline + 5%')")
    gates = duet_plan(plan, plan, starts=1).gates
    assert [gate.comparison.metric for gate in gates] == ['verify("lost_writes")', "p95"]


def test_other_words_stay_unknown(tmp_path: Path) -> None:
    assert_found(
        problems(tmp_path, "gate('lost_write = 0')"),
        "scenarios/shop.py:2: gate(require)",
        "gate-unknown-figure",
        {"word": "lost_write", "alternatives": "lost_writes"},
    )
    assert_found(
        problems(tmp_path, "gate('lost_write < 3')"),
        "scenarios/shop.py:2: gate(require)",
        "metric-unknown",
        {"word": "lost_write"},
    )


@pytest.mark.parametrize(
    ("gate", "where", "code", "has_verify"),
    [
        ("gate('verify(\"x\") = 0')", "require", "gate-without-verify", False),
        ("gate('lost_writes = 0')", "require", "gate-without-verify", False),
        ("gate('lost_writes = 0', phase='steady')", "phase", "gate-figure-in-phase", True),
        ("gate('lost_writes = 0', endpoint='GET /')", "endpoint", "gate-endpoint-of-target", True),
        ("gate('check(\"x\") >= 99%', endpoint='GET /')", "endpoint", "gate-endpoint-of-target", True),
    ],
)
def test_what_such_a_gate_cannot_have_is_named(
    tmp_path: Path, gate: str, where: str, code: str, has_verify: bool
) -> None:
    assert_found(problems(tmp_path, gate, has_verify=has_verify), f"scenarios/shop.py:2: gate({where})", code, {})

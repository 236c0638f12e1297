"""What is wrong in a scenario file is told with its line and its own words, all at once."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.plan.support import plan_problems

DURATION = 'write a duration as "30s", "1m30s", "500ms" or "2h", or as a number of seconds'


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        (
            "phases = [steady(user=50, hold='30s')]",
            'scenarios/shop.py:2: steady(user): unknown key "user"\n'
            '  did you mean "users"? (known: name, max_users, spacing, users, rate, hold)',
        ),
        (
            "phases = [steady(users=50, duration='30s')]",
            'scenarios/shop.py:2: steady(duration): unknown key "duration"\n  did you mean "hold"?',
        ),
        (
            "phases = [steady(users=50)]",
            'scenarios/shop.py:2: steady: "hold" is missing\n  add hold = "30s", for example',
        ),
        (
            "phases = [ramp(users=50, over='10 sec')]",
            f'scenarios/shop.py:2: ramp(over): "10 sec" is not a duration\n  did you mean "10s"? ({DURATION})',
        ),
        (
            "phases = [steady(users=50, hold='-5s')]",
            'scenarios/shop.py:2: steady(hold): a duration must be more than 0, this is "-5s"\n  ' + DURATION,
        ),
        (
            "phases = [steady(users=50, rate=3, hold=5)]",
            "scenarios/shop.py:2: steady(rate): has both users and rate\n"
            "  keep one: users for the closed model, rate (arrivals/s) for the open",
        ),
        (
            "phases = [steady(hold=5)]",
            "scenarios/shop.py:2: steady: has no goal\n  give it users, or rate in arrivals per second",
        ),
        (
            "phases = [steady(users=0, hold=5)]",
            "scenarios/shop.py:2: steady(users): at least 1 user is needed here\n"
            '  for a stretch without load use kind "pause"',
        ),
        (
            "phases = [steady(rate=0, hold=5)]",
            "scenarios/shop.py:2: steady(rate): an arrival rate must be more than 0 here\n"
            '  for a stretch without load use kind "pause"',
        ),
        (
            "phases = [steady(users=5, hold=5, max_users=9)]",
            "scenarios/shop.py:2: steady(max_users): max_users means nothing with users\n"
            "  max_users is for rate, the open model",
        ),
        (
            "phases = [steady(rate=5, hold=5, spacing='evn')]",
            'scenarios/shop.py:2: steady(spacing): "evn" is not known\n  did you mean "even"? (known: even, poisson)',
        ),
        (
            "phases = [stress(users=(50, 400), every='5s', until='p95 > 1s')]",
            'scenarios/shop.py:2: stress(users): "users[2] (step)" is missing\n'
            "  give (from, to, step), such as (50, 400, 50)",
        ),
        (
            "phases = [stress(users=(50, 400, 50, 9), every='5s', until='p95 > 1s')]",
            "scenarios/shop.py:2: stress(users): users[3] is one value too many\n"
            "  give (from, to, step), such as (50, 400, 50)",
        ),
        (
            "phases = [ramp(users=(50, 400, 50), over='5s')]",
            "scenarios/shop.py:2: ramp(users): users[2] is one value too many\n  give (from, to)",
        ),
        (
            "phases = [stress(users=400, every='5s', until='p95 > 1s')]",
            "scenarios/shop.py:2: stress(users): 400 is one value where several are needed\n"
            "  give from, to, step, every",
        ),
        (
            "phases = [stress(users=(50, 400, 50), until='p95 > 1s')]",
            'scenarios/shop.py:2: stress(users): "every" is missing\n  add every = "5s", for example',
        ),
        (
            "phases = [stress(users=(50, 400, 50), every='5s')]",
            'scenarios/shop.py:2: stress: "until" is missing\n  add until = "p95 > 500ms", for example',
        ),
        (
            "phases = [stress(rate=(50, 5, 5), every='5s', until='p95 > 1s')]",
            "scenarios/shop.py:2: stress(rate): goes from 50 to 5, not up\n  to must be more than from",
        ),
        (
            "phases = [stress(rate=(1, 50000, 1), every='5s', until='p95 > 1s')]",
            "scenarios/shop.py:2: stress(rate): has more than 1,000 steps\n  take a larger step",
        ),
        (
            "phases = [stress(users=(1, 5, 1), every='5s', until='p95 > 500')]",
            'scenarios/shop.py:2: stress(until): "p95 > 500": a unit is missing\n  did you mean "p95 > 500ms"?',
        ),
        (
            "phases = [steady(users=50, hold=1), spike(users=40, hold=1)]",
            "scenarios/shop.py:2: spike(users): the peak of 40 users is not above the base of 50\n"
            "  raise the peak, or give a lower base (by default it is the level of the phase before)",
        ),
        (
            "phases = [spike(rate=40, hold=1, base=60)]",
            "scenarios/shop.py:2: spike(base): the peak of 40 arrivals/s is not above the base of 60\n"
            "  raise the peak, or give a lower base (by default it is the level of the phase before)",
        ),
        (
            "phases = [spike(users=40, hold=1, base=2.5)]",
            "scenarios/shop.py:2: spike(base): 2.5 is not a number of users\n"
            "  write a whole number of users, such as 50",
        ),
        (
            "phases = [pause()]",
            'scenarios/shop.py:2: pause: "duration" is missing\n  add duration = "30s", for example',
        ),
        (
            "phases = [pause(5, name='so far')]",
            'scenarios/shop.py:2: pause(name): "so far" is not a name\n'
            '  did you mean "so-far"? a name is a letter, then letters, digits, - and _',
        ),
        (
            "phases = [pause(5, name='diagnose')]",
            'scenarios/shop.py:2: pause(name): "diagnose" is the memory pass that the harness adds\n'
            "  take another name",
        ),
        (
            "phases = [pause(5, name='a'),\n pause(6, name='a')]",
            'scenarios/shop.py:3: pause(name): two phases are named "a"\n'
            "  the other is at scenarios/shop.py:2: pause(name)",
        ),
        (
            "phases = ['steady']",
            'scenarios/shop.py:2: phases: "steady" is not a phase\n'
            '  write a list of phases, such as phases = [steady(users=50, hold="30s")]',
        ),
        (
            "phases = [gate('p95 < 1s')]",
            "scenarios/shop.py:2: phases: gate(…) is not a phase\n"
            '  write a list of phases, such as phases = [steady(users=50, hold="30s")]',
        ),
        (
            "phases = steady(users=1, hold=1)",
            "scenarios/shop.py:2: phases: phases is not a list\n"
            '  write a list of phases, such as phases = [steady(users=50, hold="30s")]',
        ),
        (
            "phases = []",
            'scenarios/shop.py:2: phases: there is no phase\n  such as steady(users=50, hold="30s")',
        ),
        (
            "gates: list = ['p95 < 1s']",
            'scenarios/shop.py:2: gates: "p95 < 1s" is not a gate\n'
            '  write a list of gates, such as gates = [gate("p95 < 500ms")]',
        ),
        (
            "gates = [\n  gate('p95 < 500'),\n]",
            'scenarios/shop.py:3: gate(require): "p95 < 500": a unit is missing\n  did you mean "p95 < 500ms"?',
        ),
        (
            "gates = [gate(phase='steady')]",
            'scenarios/shop.py:2: gate: "require" is missing\n  add require = "p95 < 500ms", for example',
        ),
        (
            "gates = [gate('p95 < 1s', phase='stedy')]",
            'scenarios/shop.py:2: gate(phase): there is no phase "stedy"\n'
            '  did you mean "steady"? (known: ramp, steady)',
        ),
        (
            "gates = [gate('p95 < 1s', phase='diagnose')]",
            "scenarios/shop.py:2: gate(phase): the diagnose pass runs under memray, its times mean nothing\n"
            "  known: ramp, steady",
        ),
        (
            "gates = [gate('p95 < 1s', phase='pause')]\nphases = [pause(1), steady(users=1, hold=1)]",
            'scenarios/shop.py:2: gate(phase): "pause" is a pause: it has nothing to read\n  known: steady',
        ),
        (
            "gates = [gate('p95 < 1s')]\nphases = [ramp(users=1, over=1)]",
            "scenarios/shop.py:2: gate: without a phase it reads steady, spike and shape phases, and there is none\n"
            "  name the phase it should read: ramp",
        ),
        (
            "gates = [gate('p95 < 1s', phase=5)]",
            "scenarios/shop.py:2: gate(phase): 5 is not a text in quotes\n  write a text in quotes",
        ),
        (
            "gates = [gate('p95 < 1s', endpoint='/checkout')]",
            'scenarios/shop.py:2: gate(endpoint): "/checkout" is not an endpoint\n'
            '  write method and name, such as "GET /checkout"',
        ),
        (
            "sampling = {'mem': False}",
            'scenarios/shop.py:2: sampling.mem: unknown key "mem"\n  did you mean "memory"? (known: cpu, memory)',
        ),
        (
            "sampling = {'cpu': {'rate_hz': 0}}",
            "scenarios/shop.py:2: sampling.cpu.rate_hz: 0 is not a sampling rate\n"
            "  write a whole number from 1 to 1,000",
        ),
        (
            "sampling = {'cpu': 'on'}",
            'scenarios/shop.py:2: sampling.cpu: "on" is not a table, true or false\n  write false to switch it off',
        ),
        ("sampling = 5", "scenarios/shop.py:2: sampling: 5 is not a table\n  write a table"),
        (
            "stop_early = 'yes'",
            'scenarios/shop.py:2: stop_early: "yes" is not true or false\n  write true or false',
        ),
    ],
)
def test_a_fault_is_told(tmp_path: Path, line: str, problem: str) -> None:
    assert problem in plan_problems(tmp_path, line)


def test_all_faults_of_a_file_are_told_in_their_order(tmp_path: Path) -> None:
    text = """
phases = [
    ramp(users=50, over="10 sec"),
    stress(rate=(5, 50, 5), every=0, until="p98 > 1s"),
]
gates = [gate("p95 < 500", phase="stres")]
sampling = {"cpu": 1}
"""
    expected = plan_problems(tmp_path, text)
    assert [problem.split(":")[1] for problem in expected] == ["4", "5", "5", "7", "7", "8"]


def test_a_variable_set_by_import_has_no_line_but_its_file(tmp_path: Path) -> None:
    (problem,) = plan_problems(tmp_path, "globals()['stop_early'] = 3")
    assert problem.startswith("scenarios/shop.py: stop_early: 3 is not true or false")

"""Faults of a profile and of a scenario are checked before anything starts, and every problem has its place."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from harness.plan.model.fault import PlannedFault
from harness.plan.model.run import RunPlan
from tests.support.documents import blocks
from tests.unit.plan.support import assert_found, plan_of, plan_problems

PHASES = """allowed_faults = ["pid:77", "command"]
[[phase]]
kind = "ramp"
users = 5
duration = "5s"

[[phase]]
kind = "steady"
users = 5
duration = "20s"

"""
PAUSE = '[[fault]]\nkind = "process"\naction = "pause"\nphase = "steady"\n'
FIRST = 12
"""The line on which a fault after ``PHASES`` begins."""


def test_a_fault_of_a_profile_is_planned(tmp_path: Path) -> None:
    text = PHASES + PAUSE + 'name = "shop stands still"\nat = "5s"\nfor = "2s"\nof = "worker"\n'
    plan = plan_of(tmp_path, profile=text)
    (fault,) = plan.faults
    assert (fault.name, fault.kind, fault.phase) == ("shop stands still", "process", "steady")
    assert (fault.at_s, fault.for_s) == (5.0, 2.0)
    assert fault.settings == {"action": "pause", "of": "worker"}
    assert fault.where.endswith(f"quick.toml:{FIRST}: fault[0]")
    assert plan.allowed_faults == ("pid:77", "command")
    assert RunPlan.model_validate_json(plan.model_dump_json()) == plan


def test_a_fault_of_a_scenario_is_the_same(tmp_path: Path) -> None:
    text = (
        "import harness\n"
        "phases = [steady(users=5, hold='20s')]\n"
        "faults = [harness.fault('process', action='kill', during='3s')]\n"
    )
    (fault,) = plan_of(tmp_path, text).faults
    assert (fault.name, fault.phase, fault.at_s, fault.for_s) == ("process", "steady", 0.0, 3.0)
    assert fault.settings == {"action": "kill"}
    assert fault.where.endswith("shop.py:4: fault")


def test_an_unknown_key_of_a_call_suggests_the_words_of_the_call(tmp_path: Path) -> None:
    text = (
        "import harness\n"
        "phases = [steady(users=5, hold='20s')]\n"
        "faults = [harness.fault('process', action='kill', duration='3s', color='red')]\n"
    )
    longer, colored = (problem.params for problem in plan_problems(tmp_path, text))
    assert (longer["word"], longer["alternatives"]) == ("duration", "during")
    assert (colored["word"], colored["alternatives"]) == (
        "color",
        ["action", "of", "name", "phase", "at", "during"],
    )


def test_a_profile_replaces_the_faults_of_a_scenario(tmp_path: Path) -> None:
    text = (
        "import harness\nphases = [steady(users=5, hold='20s')]\nfaults = [harness.fault('process', action='kill')]\n"
    )
    assert plan_of(tmp_path, text, "fault = []\n").faults == ()
    assert [fault.settings["action"] for fault in plan_of(tmp_path, text, PAUSE).faults] == ["pause"]


def test_a_run_without_faults_allows_none(tmp_path: Path) -> None:
    assert plan_of(tmp_path, profile=PHASES).allowed_faults == ()


def test_an_override_names_a_fault(tmp_path: Path) -> None:
    named = PHASES + PAUSE + 'name = "stop"\n'
    (fault,) = plan_of(tmp_path, "", named, "fault.stop.for=4s", "fault.0.at=1s").faults
    assert (fault.at_s, fault.for_s) == (1.0, 4.0)


def test_secrets_of_a_fault_are_not_written(tmp_path: Path) -> None:
    command = '[[fault]]\nkind = "command"\nphase = "steady"\n'
    text = (
        PHASES + command + 'start = "curl --token abc123 x"\nstop_url = "http://u:pw9@h/"\nheaders = {api-key = "k7"}\n'
    )
    plan = plan_of(tmp_path, profile=text)
    shown = plan.redacted().model_dump_json()
    assert not any(secret in shown for secret in ("abc123", "pw9", "k7"))
    assert plan.faults[0].settings["headers"] == {"api-key": "k7"}


@pytest.mark.parametrize(
    ("fault", "key", "line", "code", "params"),
    [
        (
            'kind = "proces"\naction = "kill"\n',
            "kind",
            1,
            "fault-unknown-kind",
            {"kind": "proces", "alternatives": "process"},
        ),
        ('action = "kill"\n', "", 0, "fault-without-kind", {}),
        ('kind = ["process"]\n', "kind", 1, "fault-unknown-kind", {"kind": ["process"]}),
        ('kind = "process"\naction = "pause"\nphase = "steady"\nname = "a\\nb"\n', "name", 4, "fault-name-invalid", {}),
        (
            'kind = "process"\naction = "kill"\nphase = "steady"\nname = "\\u202e"\n',
            "name",
            4,
            "fault-name-invalid",
            {},
        ),
        ('kind = "process"\naction = "stop"\nphase = "steady"\n', "action", 2, "value-unknown", {"value": "stop"}),
        ('kind = "process"\nphase = "steady"\n', "", 0, "key-missing", {"word": "action"}),
        (
            'kind = "process"\naction = "kill"\nphase = "stedy"\n',
            "phase",
            3,
            "fault-unknown-phase",
            {"phase": "stedy", "alternatives": "steady"},
        ),
        ('kind = "process"\naction = "kill"\n', "", 0, "fault-without-phase", {"known": ["ramp", "steady"]}),
        (
            'kind = "process"\naction = "kill"\nphase = "steady"\nduration = "2s"\n',
            "duration",
            4,
            "unknown-key",
            {"word": "duration", "alternatives": "for"},
        ),
        (
            'kind = "process"\naction = "pause"\nphase = "steady"\nat = "20s"\n',
            "at",
            4,
            "fault-after-phase",
            {"at_s": 20.0, "length_s": 20.0},
        ),
        (
            'kind = "process"\naction = "pause"\nphase = "steady"\nat = "15s"\nfor = "6s"\n',
            "for",
            5,
            "fault-beyond-phase",
            {"end_s": 21.0, "length_s": 20.0},
        ),
        ('kind = "process"\naction = "restart"\nphase = "steady"\nfor = "6s"\n', "for", 4, "fault-momentary", {}),
        ('kind = "process"\naction = "pause"\nphase = "steady"\nat = "soon"\n', "at", 4, "duration-invalid", {}),
        ('kind = "process"\naction = "pause"\nphase = "steady"\nat = false\n', "at", 4, "duration-invalid", {}),
        ('kind = "process"\naction = "pause"\nphase = "steady"\nname = ""\n', "name", 4, "fault-name-invalid", {}),
        (
            'kind = "process"\naction = "restart"\nphase = "steady"\nof = "worker"\n',
            "of",
            4,
            "fault-restart-of-other",
            {"of": "worker"},
        ),
        ('kind = "process"\naction = "kill"\nphase = "steady"\nof = "pid:1"\n', "of", 4, "fault-process-invalid", {}),
        (
            'kind = "process"\naction = "kill"\nphase = "steady"\nof = "pid:78"\n',
            "",
            0,
            "fault-not-allowed",
            {"name": "pid:78", "setting": 'allowed_faults = ["pid:77", "command", "pid:78"]'},
        ),
        ('kind = "command"\nphase = "steady"\nstart = "true"\n', "", 0, "fault-command-missing", {"missing": "stop"}),
        (
            'kind = "command"\nphase = "steady"\nstart = "true"\nstop = "true"\nstop_url = "http://x"\n',
            "stop_url",
            5,
            "fault-command-twice",
            {"other": "stop"},
        ),
        ('kind = "command"\nphase = "steady"\nstart = "\'"\nstop = "true"\n', "start", 3, "fault-command-invalid", {}),
        (
            'kind = "command"\nphase = "steady"\nstart_url = "x"\nstop = "true"\n',
            "start_url",
            3,
            "fault-url-invalid",
            {},
        ),
        (
            'kind = "command"\nphase = "steady"\nstart_url = "http://x"\nstop = "true"\nheaders = {A = "b\\nC: d"}\n',
            "headers",
            5,
            "fault-header-invalid",
            {"name": "A"},
        ),
        (
            'kind = "command"\nphase = "steady"\nstart_url = "http://x"\nstop = "true"\nstart_body = {a = [nan]}\n',
            "start_body",
            5,
            "fault-body-invalid",
            {},
        ),
    ],
)
def test_a_wrong_fault_has_one_problem_with_its_place(
    fault: str, key: str, line: int, code: str, params: dict[str, Any], tmp_path: Path
) -> None:
    problems = plan_problems(tmp_path, "", f"{PHASES}[[fault]]\n{fault}")
    where = f"quick.toml:{FIRST + line}: fault[0]{key and '.'}{key}"
    assert len(problems) == 1, problems
    assert_found(problems, where, code, params)


@pytest.mark.parametrize("kind", ["stress", "search"])
def test_a_phase_that_goes_by_steps_has_no_fault(tmp_path: Path, kind: str) -> None:
    phases = {
        "stress": 'users = {from = 1, to = 3, step = 1, every = "5s"}\nuntil = "p95 > 1s"\n',
        "search": 'users = {from = 1, to = 30}\nuntil = "p95 > 1s"\n',
    }
    text = f'[[phase]]\nkind = "{kind}"\n{phases[kind]}\n[[fault]]\nkind = "process"\naction = "pause"\n'
    assert_found(plan_problems(tmp_path, "", text), "quick.toml:6: fault[0]", "fault-in-steps", {"kind": kind})


def test_gates_of_a_plan_may_name_its_faults(tmp_path: Path) -> None:
    fault = PAUSE + 'name = "still"\n'
    gates = "[[gate]]\nrequire = \"recovery_time < 3s after 'still'\"\n[[gate]]\nrequire = \"p95 < 3s during 'stil'\"\n"
    where, params = "quick.toml:20: gate[1].require", {"fault": "stil", "alternatives": "still"}
    assert_found(plan_problems(tmp_path, "", PHASES + fault + gates), where, "gate-unknown-fault", params)
    plan = plan_of(tmp_path, "", PHASES + fault + gates.replace("'stil'", "'still'"))
    assert [gate.phase for gate in plan.gates] == ["steady", "steady"]


def test_gates_of_a_scenario_may_name_its_faults(tmp_path: Path) -> None:
    text = (
        "import harness\n"
        "phases = [ramp(users=5, over='2s'), steady(users=5, hold='20s')]\n"
        "faults = [harness.fault('process', name='still', action='pause', phase='steady', during='3s')]\n"
        "gates = [gate('error_rate < 5% during \"still\"', endpoint='GET /'),\n"
        "         gate('recovery_time < 3s after \"still\"')]\n"
    )
    plan = plan_of(tmp_path, text)
    assert [(gate.comparison.fault, gate.phase) for gate in plan.gates] == [("still", "steady")] * 2


def test_a_wrong_fault_is_reported_once_though_a_gate_names_it(tmp_path: Path) -> None:
    fault = '[[fault]]\nkind = "process"\nname = "still"\naction = "pauze"\nphase = "steady"\n'
    gate = "[[gate]]\nrequire = \"p95 < 3s during 'still'\"\n"
    assert len(plan_problems(tmp_path, "", PHASES + fault + gate)) == 1


def test_a_command_is_allowed_by_name(tmp_path: Path) -> None:
    text = PHASES.partition("\n")[2] + '[[fault]]\nkind = "command"\nphase = "steady"\nstart = "true"\nstop = "true"\n'
    (problem,) = plan_problems(tmp_path, "", text)
    assert (problem.code, problem.params["name"]) == ("fault-not-allowed", "command")


def test_all_hosts_to_allow_are_in_one_line(tmp_path: Path) -> None:
    kill = '[[fault]]\nkind = "process"\naction = "kill"\nphase = "steady"\n'
    text = PHASES + f'{kill}name = "a"\nof = "pid:79"\n{kill}name = "b"\nof = "pid:78"\n'
    found = [problem.params["setting"] for problem in plan_problems(tmp_path, "", text)]
    assert found == [
        'allowed_faults = ["pid:77", "command", "pid:78", "pid:79"]',
        'allowed_faults = ["pid:77", "command", "pid:79", "pid:78"]',
    ]


def test_names_are_unique(tmp_path: Path) -> None:
    text = PHASES + PAUSE + 'for = "2s"\n' + PAUSE + 'at = "10s"\n'
    (problem,) = plan_problems(tmp_path, "", text)
    assert (problem.code, problem.params["name"]) == ("fault-name-twice", "process")
    assert str(problem.params["other"]).startswith(f"quick.toml:{FIRST}:")


@pytest.mark.parametrize(
    ("first", "second", "overlap"),
    [
        ('for = "5s"\n', 'at = "5s"\n', False),
        ('for = "5s"\n', 'at = "4s"\n', True),
        ("", 'at = "19s"\n', True),
        ('at = "4s"\n', 'for = "4s"\nof = "worker"\n', False),
        ('at = "4s"\n', 'for = "5s"\nof = "vendor"\n', True),
        ("", 'of = "pid:77"\n', False),
    ],
)
def test_two_faults_on_one_thing_do_not_overlap(first: str, second: str, overlap: bool, tmp_path: Path) -> None:
    text = PHASES + PAUSE + f'name = "a"\n{first}' + PAUSE + f'name = "b"\n{second}'
    if not overlap:
        assert [fault.name for fault in plan_of(tmp_path, profile=text).faults] == ["a", "b"]
        return
    (problem,) = plan_problems(tmp_path, "", text)
    assert (problem.code, problem.params["name"], problem.params["thing"]) == ("faults-overlap", "b", "target")


def test_faults_in_different_phases_never_overlap(tmp_path: Path) -> None:
    text = PHASES + PAUSE + 'name = "a"\n' + PAUSE.replace("steady", "ramp") + 'name = "b"\n'
    faults = plan_of(tmp_path, profile=text).faults
    assert [fault.phase for fault in faults] == ["steady", "ramp"]
    assert all(isinstance(fault, PlannedFault) for fault in faults)


def test_anything_but_a_call_of_fault_is_a_problem(tmp_path: Path) -> None:
    problems = plan_problems(
        tmp_path, "phases = [steady(users=5, hold='20s')]\nfaults = [steady(users=5, hold='2s')]\n"
    )
    assert "scenario-wrong-call" in [problem.code for problem in problems]


@pytest.mark.parametrize("name", ["rm -rf", "pid:abc", "pid:"])
def test_what_may_be_broken_is_one_word_or_a_process(tmp_path: Path, name: str) -> None:
    (problem,) = plan_problems(tmp_path, "", PHASES.replace('"command"', f'"{name}"') + PAUSE)
    assert (problem.code, problem.where) == ("allowed-fault-invalid", "quick.toml:1: allowed_faults[1]")


@pytest.mark.parametrize("example", [text for text in blocks("docs/faults.md", "toml") if "[[fault]]" in text])
def test_the_examples_of_the_documentation_are_valid(example: str, tmp_path: Path) -> None:
    phase = "" if "[[phase]]" in example else '[[phase]]\nkind = "steady"\nusers = 5\nduration = "1m"\n'
    allowed = "" if example.startswith("allowed_faults") else 'allowed_faults = ["command"]\n'
    assert plan_of(tmp_path, profile=allowed + example + phase).faults


def test_the_example_of_a_scenario_is_valid(tmp_path: Path) -> None:
    (example,) = blocks("docs/faults.md", "python")
    assert [fault.name for fault in plan_of(tmp_path, example).faults] == ["shop crashes"]

"""Profiles are found by name or file; what is wrong in one is told with line and key."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.errors import HarnessError
from harness.plan.profile import load_profile, profile_names
from tests.unit.plan.support import plan_problems

STEADY = '[[phase]]\nkind = "steady"\nusers = 5\nduration = "5s"\n'
"""Lines 1 to 4."""
DURATION = 'write a duration as "30s", "1m30s", "500ms" or "2h", or as a number of seconds'


@pytest.fixture
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of the user's own, in which the test runs."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write(path: Path, text: str = "") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def test_a_name_is_looked_for_here_then_beside_the_scenarios_then_among_the_shipped(elsewhere: Path) -> None:
    scenario = write(elsewhere / "project" / "scenarios" / "shop.py")
    assert load_profile("smoke", scenario=scenario).path.parent.parent == Path(__file__).parents[3]
    beside = write(elsewhere / "project" / "profiles" / "smoke.toml")
    assert load_profile("smoke", scenario=scenario).path == beside
    here = write(elsewhere / "profiles" / "smoke.toml")
    found = load_profile("smoke", scenario=scenario)
    assert (found.path, found.name) == (here, "smoke")


def test_a_file_is_taken_as_it_is(elsewhere: Path) -> None:
    path = write(elsewhere / "mine.toml", STEADY)
    assert load_profile("mine.toml").path == path
    assert load_profile("./mine.toml").source.data["phase"][0]["users"] == 5


def test_lines_may_end_as_on_windows(elsewhere: Path) -> None:
    path = elsewhere / "mine.toml"
    path.write_bytes(STEADY.replace("\n", "\r\n").encode())
    assert load_profile("mine.toml").source.where(("phase", 0, "users")) == "mine.toml:3: phase[0].users"


def test_a_misspelt_name_is_told_with_the_right_one(elsewhere: Path) -> None:
    write(elsewhere / "profiles" / "quick.toml")
    with pytest.raises(HarnessError) as raised:
        load_profile("qick")
    assert str(raised.value).startswith('--profile: there is no profile "qick" in profiles or ')
    assert 'did you mean "quick"? (known: ' in str(raised.value)
    assert "quick" in profile_names()


def test_a_missing_file_is_told_with_the_nearest(elsewhere: Path) -> None:
    write(elsewhere / "quick.toml")
    with pytest.raises(HarnessError) as raised:
        load_profile("qick.toml")
    assert str(raised.value) == (
        'qick.toml: there is no such profile file\n  in that folder: did you mean "quick"? (known: quick)'
    )


def test_a_folder_is_no_profile(elsewhere: Path) -> None:
    (elsewhere / "some.toml").mkdir()
    with pytest.raises(HarnessError) as raised:
        load_profile("some.toml")
    assert str(raised.value) == "some.toml: cannot be read: Is a directory\n  give the path of a TOML file"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            STEADY + "over = 5 s",
            "quick.toml:5: not TOML: Expected newline or end of document after a statement\n  the line is: over = 5 s",
        ),
        ('a = 1\nb = "x\n\n', "quick.toml:2: not TOML: Illegal character '\\n'\n  the line is: b = \"x"),
        (f"seed = {'9' * 5000}", "quick.toml: a whole number is too long\n  TOML's whole numbers have 64 bits"),
        (f"a = {'[' * 3000}{']' * 3000}", "quick.toml: lists or tables are nested too deeply\n  write them flat"),
        ("a = [1,\n2\n\n", "quick.toml:2: not TOML: Unclosed array\n  the line is: 2"),
        ("a = 1\na = 2\n", "quick.toml:2: not TOML: Cannot overwrite a value\n  the line is: a = 2"),
    ],
)
def test_what_is_no_toml_is_told_with_its_line(elsewhere: Path, text: str, expected: str) -> None:
    write(elsewhere / "quick.toml", text)
    with pytest.raises(HarnessError) as raised:
        load_profile("quick.toml")
    assert str(raised.value) == expected


def test_what_is_no_utf8_is_told(elsewhere: Path) -> None:
    (elsewhere / "quick.toml").write_bytes(b'description = "\xff"')
    with pytest.raises(HarnessError) as raised:
        load_profile("quick.toml")
    assert str(raised.value) == "quick.toml: byte 15 is not UTF-8\n  save the file as UTF-8"


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (
            STEADY + "hold = '3s'\n",
            'quick.toml:5: phase[0].hold: unknown key "hold"\n'
            '  did you mean "duration"? (known: name, max_users, spacing, users, rate, duration)',
        ),
        (
            STEADY.replace("duration", "durration"),
            'quick.toml:4: phase[0].durration: unknown key "durration"\n'
            '  did you mean "duration"? (known: name, max_users, spacing, users, rate, duration)',
        ),
        (
            STEADY.replace("steady", "stedy"),
            'quick.toml:2: phase[0].kind: unknown kind "stedy"\n'
            '  did you mean "steady"? (known: ramp, steady, stress, spike, pause, shape)',
        ),
        (
            STEADY.replace("steady", "burst"),
            'quick.toml:2: phase[0].kind: unknown kind "burst"\n'
            '  did you mean "spike"? (known: ramp, steady, stress, spike, pause, shape)',
        ),
        (
            "[[phase]]\nusers = 5\nduration = 5\n",
            'quick.toml:1: phase[0]: "kind" is missing\n  known: ramp, steady, stress, spike, pause, shape',
        ),
        (
            "[[phase]]\nkind = 5\n",
            "quick.toml:2: phase[0].kind: unknown kind 5\n  known: ramp, steady, stress, spike, pause, shape",
        ),
        (
            "[[phase]]\nkind = 'shape'\n",
            "quick.toml:2: phase[0].kind: the scenario has no LoadTestShape\n"
            "  write one, or take another kind: ramp, steady, stress, spike, pause",
        ),
        (
            '[[phase]]\nkind = "ramp"\nrate = {from = 5}\nduration = "5s"\n',
            'quick.toml:3: phase[0].rate: "to" is missing\n  add to = 400, for example',
        ),
        (
            '[[phase]]\nkind = "ramp"\nrate = {from = 5, until = 6}\nduration = "5s"\n',
            'quick.toml:3: phase[0].rate.until: unknown key "until"\n  known: from, to',
        ),
        (
            '[[phase]]\nkind = "spike"\nrate = 5\nduration = "5s"\n',
            'quick.toml:4: phase[0].duration: unknown key "duration"\n'
            '  did you mean "hold"? (known: name, max_users, spacing, users, rate, base, over, hold)',
        ),
        (
            '[[phase]]\nkind = "stress"\nusers = {from = 5, to = 50, step = 5, every = "5 sec"}\nuntil = "p95 > 1s"\n',
            f'quick.toml:3: phase[0].users.every: "5 sec" is not a duration\n  did you mean "5s"? ({DURATION})',
        ),
        (
            "[phase]\nkind = 'steady'\n",
            "quick.toml:1: phase: phase is not a list of tables\n  head each with [[phase]], in two brackets",
        ),
        (
            "gate = 'p95 < 1s'\n",
            "quick.toml:1: gate: gate is not a list of tables\n  head each with [[gate]], in two brackets",
        ),
        ("phase = []\n", 'quick.toml:1: phase: there is no phase\n  such as steady(users=50, hold="30s")'),
        (
            STEADY + "\n[[gate]]\nrequires = 'p95 < 1s'\n",
            'quick.toml:7: gate[0].requires: unknown key "requires"\n'
            '  did you mean "require"? (known: require, phase, endpoint)',
        ),
        (
            "gates = []\n",
            'quick.toml:1: gates: unknown key "gates"\n  did you mean "gate"? (known: allowed_hosts, redact, mask, '
            "description, phase, gate, sampling, target, stop_early, stop_timeout, workers, seed)",
        ),
        (
            "workers = 1.5\n",
            "quick.toml:1: workers: 1.5 is not a number of workers\n  write a whole number from 1 to 1,000",
        ),
        ("seed = 'x'\n", 'quick.toml:1: seed: "x" is not a whole number\n  write a whole number'),
        (
            "stop_timeout = -1\n",
            f"quick.toml:1: stop_timeout: a duration must be more than 0, this is -1\n  {DURATION}",
        ),
        (
            "[target]\nenv = {A = 'b'}\n",
            'quick.toml:2: target.env: unknown key "env"\n'
            '  did you mean "environment"? (known: command, ready, ready_timeout, environment, url)',
        ),
        (
            "[target.environment]\nA = true\n",
            "quick.toml:2: target.environment.A: true is not a text\n"
            "  environment variables are texts: put it in quotes",
        ),
        (
            "[target]\nurl = 'localhost:80'\n",
            'quick.toml:2: target.url: "localhost:80" is not a URL\n  did you mean "http://localhost:80"?',
        ),
        (
            "[target]\nurl = 'http://localhost'\ncommand = 'serve'\n",
            "quick.toml:2: target.url: has both url and command\n"
            "  keep url to attach to a target that runs, command to have it started",
        ),
        (
            "[target]\ncommand = ' '\nready = 'up'\n",
            'quick.toml:3: target.ready: "up" is not a path\n  did you mean "/up"?',
        ),
    ],
)
def test_a_fault_is_told(tmp_path: Path, text: str, problem: str) -> None:
    assert problem in plan_problems(tmp_path, "", text)


def test_a_gate_of_the_scenario_that_names_a_phase_the_profile_has_not_is_told_not_dropped(tmp_path: Path) -> None:
    expected = plan_problems(tmp_path, "gates = [gate('p95 < 1s', phase='peak')]", STEADY)
    assert expected == ['scenarios/shop.py:2: gate(phase): there is no phase "peak"\n  known: steady']


def test_faults_of_scenario_profile_and_overrides_are_told_together(tmp_path: Path) -> None:
    expected = plan_problems(
        tmp_path, "sampling = {'mem': 1}", STEADY.replace("5s", "5 sec"), "workers=0", "phase.0.users=-1"
    )
    assert sorted(problem.partition(": ")[0] for problem in expected) == [
        "--set phase.0.users=-1",
        "--set workers=0",
        "quick.toml:4",
        "scenarios/shop.py:2",
    ]

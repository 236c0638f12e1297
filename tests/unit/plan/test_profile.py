"""Profiles are found by name or file; problems in one are reported with line and key."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.errors import HarnessError, ManyProblemsError
from harness.plan.problems import shown
from harness.plan.profile import load_profile, profile_names
from tests.unit.plan.support import assert_found, found, plan_of, plan_problems

STEADY = '[[phase]]\nkind = "steady"\nusers = 5\nduration = "5s"\n'
"""Lines 1 to 4."""


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


def test_lines_can_end_as_on_windows(elsewhere: Path) -> None:
    path = elsewhere / "mine.toml"
    path.write_bytes(STEADY.replace("\n", "\r\n").encode())
    assert shown(load_profile("mine.toml").source.where(("phase", 0, "users"))) == "mine.toml:3: phase[0].users"


def test_a_misspelt_name_is_reported_with_the_right_one(elsewhere: Path) -> None:
    write(elsewhere / "profiles" / "quick.toml")
    with pytest.raises(HarnessError) as raised:
        load_profile("qick")
    where, code, params = found(raised.value)
    assert (where, code) == ("--profile", "profile-not-found")
    assert (params["name"], params["alternatives"]) == ("qick", "quick")
    assert "profiles" in str(params["folders"])
    assert "quick" in profile_names()


def test_a_missing_file_is_reported_with_the_nearest(elsewhere: Path) -> None:
    write(elsewhere / "quick.toml")
    with pytest.raises(HarnessError) as raised:
        load_profile("qick.toml")
    assert_found([found(raised.value)], "qick.toml", "profile-file-not-found", {"alternatives": "quick"})


def test_a_folder_is_not_a_profile(elsewhere: Path) -> None:
    (elsewhere / "some.toml").mkdir()
    with pytest.raises(HarnessError) as raised:
        load_profile("some.toml")
    assert_found([found(raised.value)], "some.toml", "file-unreadable", {"reason": "Is a directory"})


@pytest.mark.parametrize(
    ("text", "where", "code", "params"),
    [
        (STEADY + "over = 5 s", "quick.toml:5", "toml-invalid", {"text": "over = 5 s"}),
        ('a = 1\nb = "x\n\n', "quick.toml:2", "toml-invalid", {"text": 'b = "x'}),
        (f"seed = {'9' * 5000}", "quick.toml", "toml-number-too-long", {}),
        (f"a = {'[' * 3000}{']' * 3000}", "quick.toml", "toml-nested-too-deeply", {}),
        ("a = [1,\n2\n\n", "quick.toml:2", "toml-invalid", {"reason": "Unclosed array", "text": "2"}),
        ("a = 1\na = 2\n", "quick.toml:2", "toml-invalid", {"reason": "Cannot overwrite a value", "text": "a = 2"}),
    ],
)
def test_invalid_toml_is_reported_with_its_line(
    elsewhere: Path, text: str, where: str, code: str, params: dict[str, object]
) -> None:
    write(elsewhere / "quick.toml", text)
    with pytest.raises(HarnessError) as raised:
        load_profile("quick.toml")
    assert_found([found(raised.value)], where, code, params)


def test_invalid_utf8_is_reported_with_its_byte(elsewhere: Path) -> None:
    (elsewhere / "quick.toml").write_bytes(b'description = "\xff"')
    with pytest.raises(HarnessError) as raised:
        load_profile("quick.toml")
    assert_found([found(raised.value)], "quick.toml", "file-not-utf8", {"byte": 15})


@pytest.mark.parametrize(
    ("text", "where", "code", "params"),
    [
        (
            STEADY + "hold = '3s'\n",
            "quick.toml:5: phase[0].hold",
            "unknown-key",
            {"word": "hold", "alternatives": "duration"},
        ),
        (
            STEADY.replace("duration", "durration"),
            "quick.toml:4: phase[0].durration",
            "unknown-key",
            {"word": "durration", "alternatives": "duration"},
        ),
        (
            STEADY.replace("steady", "stedy"),
            "quick.toml:2: phase[0].kind",
            "phase-unknown-kind",
            {"kind": "stedy", "alternatives": "steady"},
        ),
        (
            STEADY.replace("steady", "burst"),
            "quick.toml:2: phase[0].kind",
            "phase-unknown-kind",
            {"kind": "burst", "alternatives": "spike"},
        ),
        (
            "[[phase]]\nusers = 5\nduration = 5\n",
            "quick.toml:1: phase[0]",
            "phase-kind-missing",
            {"known": ("ramp", "steady", "stress", "spike", "pause", "shape", "search")},
        ),
        (
            STEADY.replace("kind", "knd") + '[[gate]]\nrequire = "p95 < 1s"\nphase = "steady"\n',
            "quick.toml:1: phase[0]",
            "phase-kind-misspelled",
            {"word": "knd"},
        ),
        (
            "[[phase]]\nkind = 5\n",
            "quick.toml:2: phase[0].kind",
            "phase-unknown-kind",
            {"kind": 5, "alternatives": ["ramp", "steady", "stress", "spike", "pause", "shape", "search"]},
        ),
        ("[[phase]]\nkind = 'shape'\n", "quick.toml:2: phase[0].kind", "shape-not-in-scenario", {}),
        (
            '[[phase]]\nkind = "ramp"\nrate = {from = 5}\nduration = "5s"\n',
            "quick.toml:3: phase[0].rate",
            "key-missing",
            {"word": "to"},
        ),
        (
            '[[phase]]\nkind = "ramp"\nrate = {from = 5, until = 6}\nduration = "5s"\n',
            "quick.toml:3: phase[0].rate.until",
            "unknown-key",
            {"word": "until", "alternatives": ["from", "to"]},
        ),
        (
            '[[phase]]\nkind = "spike"\nrate = 5\nduration = "5s"\n',
            "quick.toml:4: phase[0].duration",
            "unknown-key",
            {"word": "duration", "alternatives": "hold"},
        ),
        (
            '[[phase]]\nkind = "stress"\nusers = {from = 5, to = 50, step = 5, every = "5 sec"}\nuntil = "p95 > 1s"\n',
            "quick.toml:3: phase[0].users.every",
            "duration-misspelled",
            {"value": "5 sec", "meant": "5s"},
        ),
        ("[phase]\nkind = 'steady'\n", "quick.toml:1: phase", "not-a-list-of-tables", {"key": "phase"}),
        ("gate = 'p95 < 1s'\n", "quick.toml:1: gate", "not-a-list-of-tables", {"key": "gate"}),
        ("phase = []\n", "quick.toml:1: phase", "no-phases", {}),
        (
            STEADY + "\n[[gate]]\nrequires = 'p95 < 1s'\n",
            "quick.toml:7: gate[0].requires",
            "unknown-key",
            {"word": "requires", "alternatives": "require"},
        ),
        ("gates = []\n", "quick.toml:1: gates", "unknown-key", {"word": "gates", "alternatives": "gate"}),
        ("workers = 1.5\n", "quick.toml:1: workers", "number-out-of-range", {"value": 1.5, "least": 1, "most": 1000}),
        ("seed = 'x'\n", "quick.toml:1: seed", "value-of-wrong-type", {"value": "x", "wanted": "a whole number"}),
        ("stop_timeout = -1\n", "quick.toml:1: stop_timeout", "duration-not-positive", {"value": -1}),
        (
            "[target]\nenv = {A = 'b'}\n",
            "quick.toml:2: target.env",
            "unknown-key",
            {"word": "env", "alternatives": "environment"},
        ),
        (
            "[target.environment]\nA = true\n",
            "quick.toml:2: target.environment.A",
            "environment-value-invalid",
            {"value": True},
        ),
        ("[target]\nurl = 'localhost:80'\n", "quick.toml:2: target.url", "url-without-scheme", {"url": "localhost:80"}),
        (
            "[target]\nurl = 'http://localhost'\ncommand = 'serve'\n",
            "quick.toml:2: target.url",
            "target-url-and-command",
            {},
        ),
        (
            "[target]\ncommand = ' '\nready = 'up'\n",
            "quick.toml:3: target.ready",
            "ready-not-a-path",
            {"path": "up", "meant": "/up"},
        ),
    ],
)
def test_a_problem_is_reported_with_its_line(
    tmp_path: Path, text: str, where: str, code: str, params: dict[str, object]
) -> None:
    assert_found(plan_problems(tmp_path, "", text), where, code, params)


def test_a_gate_on_a_phase_that_the_profile_lacks_is_never_dropped(tmp_path: Path) -> None:
    (problem,) = plan_problems(tmp_path, "gates = [gate('p95 < 1s', phase='peak')]", STEADY)
    assert_found([problem], "scenarios/shop.py:2: gate(phase)", "gate-unknown-phase", {"alternatives": ["steady"]})


def test_problems_of_scenario_profile_and_overrides_are_reported_together(tmp_path: Path) -> None:
    problems = plan_problems(
        tmp_path, "sampling = {'mem': 1}", STEADY.replace("5s", "5 sec"), "workers=0", "phase.0.users=-1"
    )
    assert sorted(problem.where.partition(": ")[0] for problem in problems) == [
        "--set phase.0.users=-1",
        "--set workers=0",
        "quick.toml:4",
        "scenarios/shop.py:2",
    ]


def test_an_unknown_kind_of_phase_is_not_also_a_problem_of_gates(tmp_path: Path) -> None:
    profile = STEADY.replace("steady", "stedy") + "[[gate]]\nrequire = 'p95 < 1s'\n"
    (problem,) = plan_problems(tmp_path, "", profile)
    assert problem.code == "phase-unknown-kind"


@pytest.mark.parametrize(
    "text", [".".join("a" * 900) + " = 1\n", "x.a" * 100_000 + " = 1\n", "a = " + "{b = " * 40 + "1" + "}" * 40 + "\n"]
)
def test_a_file_nested_deeper_than_any_profile_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "quick.toml"
    path.write_text(text)
    with pytest.raises(HarnessError) as raised:
        load_profile(str(path))
    assert raised.value.code == "toml-nested-too-deeply"


def test_a_file_larger_than_any_profile_is_refused_unread(tmp_path: Path) -> None:
    path = tmp_path / "quick.toml"
    path.write_text(STEADY + "[[gate]]\nrequire = 'p95 < 5'\n" * 100_000)
    with pytest.raises(HarnessError) as raised:
        load_profile(str(path))
    assert (raised.value.code, raised.value.params["most"]) == ("file-too-large", 1_000_000)


def test_more_phases_gates_or_names_than_anyone_writes_are_refused_at_once(tmp_path: Path) -> None:
    text = f"redact = {['ab'] * 1001}\n{STEADY * 3000}" + "[[gate]]\nrequire = 'p95 < 5'\n" * 2000
    problems = plan_problems(tmp_path, "", text)
    assert sorted(problem.code for problem in problems) == ["too-many-items", "too-many-tables", "too-many-tables"]


def test_many_problems_are_shown_as_a_few(tmp_path: Path) -> None:
    profile = STEADY + "[[gate]]\nrequire = 'p95 < 5'\n" * 900 + "".join(f"[{'a' * 900}{n}]\n" for n in range(200))
    with pytest.raises(ManyProblemsError) as raised:
        plan_of(tmp_path, "", profile)
    assert len(raised.value.problems) == 1100
    assert len(str(raised.value)) < 10_000


def test_a_key_that_another_was_meant_by_is_not_missing_too(tmp_path: Path) -> None:
    (problem,) = plan_problems(tmp_path, "", "[[phase]]\nkind = 'ramp'\nusers = 5\nover = '3s'\n")
    assert_found([problem], "quick.toml:4: phase[0].over", "unknown-key", {"alternatives": "duration"})


def test_a_key_with_brackets_is_unknown_and_no_level(tmp_path: Path) -> None:
    (problem,) = plan_problems(tmp_path, "", STEADY.rstrip() + "\n'a[3]' = 5\n")
    assert problem.code == "unknown-key"

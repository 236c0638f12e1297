"""What a scenario writes is recorded as it stands, with its line, and nothing heavy is loaded for it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

import harness
from harness import ramp, steady
from harness.plan.dsl import declared, gate, plain


def test_a_call_records_its_arguments_and_the_line_it_begins_on() -> None:
    line = sys._getframe().f_lineno + 1
    spec = ramp(
        users=50,
        over="15s",
    )
    assert spec.to_dict() == {
        "call": "ramp",
        "arguments": {"users": 50, "over": "15s"},
        "file": __file__,
        "line": line,
    }


def test_wrong_arguments_are_recorded_for_the_controller_to_report() -> None:
    spec = steady(user=50, hold=Path("/x"))  # type: ignore[arg-type]  # a user's slips
    assert spec.to_dict()["arguments"] == {"user": 50, "hold": repr(Path("/x"))}


def test_what_json_cannot_hold_is_recorded_as_text() -> None:
    endless: list[object] = []
    endless.append(endless)
    spec = steady(users=endless, hold=10**5000, name="\udcff", rate=10**18)  # type: ignore[arg-type]
    arguments = json.loads(json.dumps(spec.to_dict()))["arguments"]
    assert "…" in str(arguments.pop("users"))
    assert arguments == {"hold": "a number of more than 64 bits", "name": "\\udcff", "rate": 10**18}


def test_a_value_that_contains_itself_is_read_in_finite_time() -> None:
    """With two places for each of 20 levels it would take a million."""
    endless: list[object] = []
    endless += [endless, endless, 5, [endless]]
    assert plain([endless, endless]) == [["…", "…", 5, ["…"]]] * 2
    levels: list[object] = []
    spec = steady(users=levels)  # type: ignore[arg-type]  # a user's slip
    levels += [spec, spec]
    assert spec.to_dict()["arguments"] == {"users": ["…", "…"]}


def test_what_a_module_states_can_be_sent_as_json() -> None:
    namespace = {"phases": (ramp(users=(1, 2), over=3),), "gates": [gate("p95 < 1s"), "x"], "sampling": {"cpu": False}}
    stated = json.loads(json.dumps(declared({**namespace, "ramp": ramp})))
    assert stated["phases"][0]["arguments"] == {"users": [1, 2], "over": 3}
    assert stated["gates"][1] == "x"
    assert stated["sampling"] == {"cpu": False}
    assert stated["stop_early"] is None


def test_an_ordinary_locustfile_may_have_phases_of_its_own() -> None:
    assert declared({"phases": [{"duration": 60}], "json": json})["phases"] is None
    assert declared({"phases": [], "harness": harness})["phases"] == []


def test_the_names_are_loaded_without_gevent_locust_or_pydantic() -> None:
    code = (
        "from harness import gate, pause, ramp, spike, steady, stress; import sys;"
        "print([name for name in ('gevent', 'locust', 'pydantic', 'lark', 'numpy') if name in sys.modules])"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"


def test_the_public_names_are_listed_and_no_others_exist() -> None:
    assert {"HttpUser", "gate", "pause", "ramp", "search", "spike", "steady", "stress"} <= set(dir(harness))
    with pytest.raises(AttributeError, match="module 'harness' has no attribute 'stedy'"):
        harness.stedy  # noqa: B018  (the look-up is what is tested)

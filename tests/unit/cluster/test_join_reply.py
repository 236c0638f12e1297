"""What a master sends a worker elsewhere: how it is laid down, and what is said where it makes no sense."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from harness.cluster.join_reply import JoinAccepted
from harness.cluster.join_request import pack
from harness.cluster.messages import ACCEPTED, REJECTED
from harness.errors import ExitCode, message
from tests.support.errors import harness_error
from tests.support.recordings import make_plan, steady

MASTER = "10.0.0.5"


def welcome(**changed: Any) -> bytes:
    plan = make_plan([steady()]).model_dump_json()
    said = {
        "indexes": [0],
        "plan": plan,
        "target": "http://127.0.0.1:1",
        "scenario": ["plan.json", "b.py"],
        "files": {"plan.json": b"{}", "b.py": b""},
        "warnings": [],
    }
    return pack(ACCEPTED, said | changed, "master")


def test_the_files_of_a_scenario_and_those_of_the_harness_lie_apart(tmp_path: Path) -> None:
    answer = JoinAccepted.read(welcome(), MASTER)
    assert answer is not None
    plan = answer.write_to(tmp_path, MASTER)
    assert plan.scenario.path == str(tmp_path / "scenario" / "plan.json")
    assert (tmp_path / "scenario" / "plan.json").read_text() == "{}"
    assert '"phases"' in (tmp_path / "plan.json").read_text()


@pytest.mark.parametrize(
    "sent",
    [
        b"",
        b"\xc1",
        b"\x05",
        pack(REJECTED, {}, "master"),
        pack(ACCEPTED, {}, "master"),
        welcome(files={"b.py": 5}),
        welcome(files=None),
        welcome(indexes="0"),
    ],
)
def test_an_answer_that_makes_no_sense_is_told(sent: bytes) -> None:
    with harness_error("join-reply-not-understood") as error:
        JoinAccepted.read(sent, MASTER)
    assert error.value.exit_code == ExitCode.BROKEN


@pytest.mark.parametrize(
    "changed", [{"plan": "{}"}, {"plan": "no JSON"}, {"scenario": []}, {"files": {"../b.py": b""}}]
)
def test_a_scenario_that_cannot_be_one_is_told(tmp_path: Path, changed: dict[str, Any]) -> None:
    answer = JoinAccepted.read(welcome(**changed), MASTER)
    assert answer is not None
    with harness_error("join-reply-not-understood"):
        answer.write_to(tmp_path, MASTER)


def test_a_refusal_is_told() -> None:
    reason = message("join-too-late", "the run has begun")
    with harness_error("join-rejected") as error:
        JoinAccepted.read(pack(REJECTED, {"reason": reason.to_data()}, "master"), MASTER)
    assert error.value.params["reason"] == reason


def test_another_message_is_not_the_answer() -> None:
    assert JoinAccepted.read(pack("spawn", {}, "master"), MASTER) is None

"""What a master sends to a remote worker: how it is written to files, and which errors nonsense causes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from harness.cluster.joining import JoinAccepted, pack
from harness.cluster.messages import ACCEPTED, REJECTED
from harness.errors import ExitCode
from harness.messages import message
from tests.support.errors import harness_error
from tests.support.plans import make_plan, steady

MASTER = "10.0.0.5"


def accepted(**changed: Any) -> bytes:
    plan = make_plan([steady()]).model_dump_json()
    data = {
        "indexes": [0],
        "plan": plan,
        "target": "http://127.0.0.1:1",
        "scenario": ["plan.json", "b.py"],
        "files": {"plan.json": b"{}", "b.py": b""},
        "warnings": [],
    }
    return pack(ACCEPTED, data | changed, "master")


def test_the_files_of_a_scenario_and_those_of_the_harness_lie_apart(tmp_path: Path) -> None:
    reply = JoinAccepted.read(accepted(), MASTER)
    assert reply is not None
    plan = reply.write_to(tmp_path, MASTER)
    assert plan.scenario.path == str(tmp_path / "scenario" / "plan.json")
    assert (tmp_path / "scenario" / "plan.json").read_text() == "{}"
    assert [path.name for path in tmp_path.iterdir()] == ["scenario"]


@pytest.mark.parametrize(
    "sent",
    [
        b"",
        b"\xc1",
        b"\x05",
        pack(REJECTED, {}, "master"),
        pack(ACCEPTED, {}, "master"),
        accepted(files={"b.py": 5}),
        accepted(files=None),
        accepted(indexes="0"),
    ],
)
def test_an_invalid_reply_is_rejected(sent: bytes) -> None:
    with harness_error("join-reply-not-understood") as error:
        JoinAccepted.read(sent, MASTER)
    assert error.value.exit_code == ExitCode.BROKEN


@pytest.mark.parametrize(
    "changed", [{"plan": "{}"}, {"plan": "no JSON"}, {"scenario": []}, {"files": {"../b.py": b""}}]
)
def test_an_invalid_scenario_is_rejected(tmp_path: Path, changed: dict[str, Any]) -> None:
    reply = JoinAccepted.read(accepted(**changed), MASTER)
    assert reply is not None
    with harness_error("join-reply-not-understood"):
        reply.write_to(tmp_path, MASTER)


def test_a_rejection_is_reported_with_its_reason() -> None:
    reason = message("join-too-late")
    with harness_error("join-rejected") as error:
        JoinAccepted.read(pack(REJECTED, {"reason": reason.to_data()}, "master"), MASTER)
    assert error.value.params["reason"] == reason


def test_another_message_is_not_the_reply() -> None:
    assert JoinAccepted.read(pack("spawn", {}, "master"), MASTER) is None

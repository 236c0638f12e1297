"""The target that the environment names counts where the command line names none, and only there."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.in_process import harness

GIVEN = {"HARNESS_HOST": "http://10.1.2.3", "HARNESS_PID": "none"}


def test_the_environment_is_asked_for_a_target_that_the_command_line_does_not_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in GIVEN.items():
        monkeypatch.setenv(name, value)
    asked = harness("run", "scenario.py", cwd=tmp_path)
    assert (asked.exit_code, "HARNESS_PID" in asked.err) == (2, True), asked
    for named in (["--host", "http://127.0.0.1"], ["--target", "app --port {port}"]):
        not_asked = harness("run", "scenario.py", *named, cwd=tmp_path)
        assert (not_asked.exit_code, "HARNESS_PID" in not_asked.err) == (2, False), not_asked

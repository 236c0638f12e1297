"""``harness doctor`` as a user calls it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path


def doctor(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "harness", "doctor", *arguments]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=60, check=False)


def test_a_machine_that_can_measure(tmp_path: Path) -> None:
    done = doctor(cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout == ""
    for name in ("Python", "open files", "loopback", "reports", "disk", "CPU profiles", "memory profiles", "cores"):
        assert name in done.stderr


def test_json_is_all_there_is_on_standard_output(tmp_path: Path) -> None:
    done = doctor("--json", cwd=tmp_path)
    assert done.returncode == 0
    assert done.stderr == ""
    results = json.loads(done.stdout)
    assert all(set(result) == {"name", "level", "text", "mend", "code", "params"} for result in results)
    assert {result["name"]: result["level"] for result in results}["memory profiles"] == "ok"


def test_a_machine_that_cannot(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    done = doctor("--out", "file", cwd=tmp_path)
    assert done.returncode == 4
    assert "--out DIR" in " ".join(done.stderr.split())

"""The documentation's examples of the Python API, typed into a program one after the other, on the shop."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.children import die_with_the_tests
from tests.support.command import REPOSITORY, latest_run
from tests.support.documents import python_blocks

AFTERWARDS = """
import sys
print("locust" in sys.modules, "gevent" in sys.modules)
print(run.timeline["requests"].sum() == run.summary.totals.requests > 0)
print(set(run.resources["source"]) >= {"target", "machine", "generator", "load"})
print([*run.figures["name"]] == [phase.name for phase in run.phases] == ["ramp", "steady"])
"""


@pytest.mark.slow
def test_the_examples_do_what_they_say(tmp_path: Path) -> None:
    (tmp_path / "scenarios").symlink_to(REPOSITORY / "scenarios")
    program = tmp_path / "example.py"
    program.write_text("\n".join([*python_blocks("docs/python.md")[:2], AFTERWARDS]))
    result = subprocess.run(
        [sys.executable, program], cwd=tmp_path, capture_output=True, text=True, preexec_fn=die_with_the_tests
    )
    assert (result.returncode, result.stderr) == (0, "")
    run = latest_run(tmp_path)
    assert f"see more: harness gate reports/{run.name}\nreport: reports/{run.name}/report.html\n" in result.stdout
    assert "p95 < 500ms steady" in result.stdout
    assert result.stdout.splitlines()[-4:] == ["False False", "True", "True", "True"]

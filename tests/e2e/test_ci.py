"""A night in CI: the script of docs/ci.md, with a team's PostgreSQL and a place for run folders, as GitHub calls it."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

import pytest

from harness.record.run_folder import read_model
from harness.record.summary import Summary
from harness.store import open_store
from tests.support import in_process
from tests.support.children import die_with_the_tests
from tests.support.command import LONGEST_S, REPOSITORY
from tests.support.postgresql import PostgreSQL
from tests.support.targets import HTTP_SERVER

SCENARIO = """
from pathlib import Path

from locust import FastHttpUser, constant, task

from harness.record.run_folder import RunFolder
from harness.record.run_folder import is_running

target = "shop"

class Visitor(FastHttpUser):
    wait_time = constant(0.1)

    @task
    def look(self):
        self.client.get("/health")

def verify(target):
    (plan,) = Path("nights").glob("*/plan.json")
    assert is_running(RunFolder(plan.parent)), "prune would take this run for one that has ended"
"""
PROFILE = """
[[phase]]
kind = "steady"
users = 2
duration = "1s"

[[gate]]
require = "error_rate <= 100%"

[[gate]]
require = "p95 <= baseline + 10%"  # of the first night, which has none: inconclusive

[sampling]
cpu = false
memory = false
"""


@dataclass(frozen=True)
class Night:
    """What one call of the script left behind."""

    folder: Path
    store: str
    code: int
    err: str

    @property
    def run(self) -> Path:
        (plan,) = (self.folder / "nights").glob("*/plan.json")
        return plan.parent

    @property
    def summary(self) -> Summary:
        return read_model(self.run / "summary.json", Summary)

    @property
    def verdict(self) -> str:
        """Inconclusive; or broken, if other tests leave the generator no time."""
        return self.summary.verdict


def _night(folder: Path, store: str) -> Night:
    for name, text in {
        "scenarios/visit.py": SCENARIO,
        "profiles/short.toml": PROFILE,
        "app.py": HTTP_SERVER + "serve(sys.argv[1])\n",
        "reports/29991231T235959Z-other-short-0001/plan.json": "{}",  # another run, not this night's
        "reports/29991231T235959Z-other-short-0001/report.html": "another run's",
    }.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    done = subprocess.run(
        [
            REPOSITORY / "scripts/performance",
            "scenarios/visit.py",
            "short",
            "--target",
            f"{sys.executable} app.py {{port}}",
            "--out",
            "nights",
        ],
        cwd=folder,
        env=os.environ | {"BASELINE_RUNS": "3", "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        timeout=LONGEST_S,
        preexec_fn=die_with_the_tests,
    )
    return Night(folder, store, done.returncode, done.stderr)


@pytest.mark.slow
def test_a_night_in_ci(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, postgresql: PostgreSQL) -> None:
    checkout = tmp_path / "checkout"
    store = postgresql.new_database()
    for name, value in {
        "GITHUB_ACTIONS": "true",
        "GITHUB_STEP_SUMMARY": str(checkout / "page.md"),
        "GITHUB_WORKSPACE": str(checkout),
        "HARNESS_ARTIFACTS": f"file://{checkout}/kept",
        "HARNESS_STORE": store,
    }.items():
        monkeypatch.setenv(name, value)
    night = _night(checkout, store)
    _noise_makes_no_red_night_and_every_other_verdict_does(night)
    _people_and_ci_have_what_they_read(night)
    _a_run_that_holds_becomes_the_baseline_and_is_copied_whole(night)
    _at_another_desk_it_is_judged_by_its_id(night, tmp_path)


def _noise_makes_no_red_night_and_every_other_verdict_does(night: Night) -> None:
    assert night.code == {"inconclusive": 0, "broken": 4}[night.verdict], night.err
    assert f"verdict: {night.verdict}" in night.err
    assert [(gate.require, gate.status) for gate in night.summary.gates][-1] == ("verify", "pass")
    reported = "::warning file=scenarios/visit.py,title=p95 <= baseline + 10%25 in steady%3A inconclusive::"
    assert any(line.startswith(reported) for line in night.err.splitlines())
    assert ("\n::error " in night.err) == (night.verdict == "broken")


def _people_and_ci_have_what_they_read(night: Night) -> None:
    left = night.folder / "performance"
    names = ["comment.md", "junit.xml", "report.html", "summary.json", "summary.md"]
    assert sorted(path.name for path in left.iterdir()) == names
    assert [(left / name).read_bytes() for name in names] == [(night.run / name).read_bytes() for name in names]
    assert (night.folder / "page.md").read_text().startswith((left / "summary.md").read_text())
    cases = ElementTree.parse(left / "junit.xml").findall("testsuite/testcase")
    assert [case.get("name") for case in cases][:2] == ["the run is valid", "error_rate <= 100%"]
    assert (left / "comment.md").read_text().startswith("<!-- harness visit short -->\n")


def _a_run_that_holds_becomes_the_baseline_and_is_copied_whole(night: Night) -> None:
    with open_store(night.store, night.run.parent) as store:
        (run,) = store.list_runs()
        assert store.is_of_a_baseline(run.run_id) == (night.code == 0)
    kept = night.folder / "kept"
    copies = {path.relative_to(kept / night.run.name) for path in (kept / night.run.name).rglob("*")}
    assert copies == {path.relative_to(night.run) for path in night.run.rglob("*")}


def _at_another_desk_it_is_judged_by_its_id(night: Night, desk: Path) -> None:
    judged = in_process.harness("gate", night.run.name, "--require", "error_rate > 100%", store=night.store, cwd=desk)
    assert judged.exit_code == (4 if night.verdict == "broken" else 1)
    assert "\n::error " in judged.err
    assert (desk / "reports" / night.run.name / "report.html").exists()

"""A night in CI: the script of docs/ci.md, with a team's PostgreSQL and a place for run folders, as GitHub calls it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

import pytest

from harness.record.run_folder import read_model
from harness.record.summary import Summary
from harness.store import open_store
from tests.support.command import REPOSITORY, Result, harness
from tests.support.postgresql import start_postgresql
from tests.support.targets import HTTP_SERVER

SCENARIO = """
from locust import FastHttpUser, constant, task

class Visitor(FastHttpUser):
    wait_time = constant(0.1)

    @task
    def look(self):
        self.client.get("/health")
"""
PROFILE = """
[[phase]]
kind = "steady"
users = 2
duration = "3s"

[[gate]]
require = "error_rate <= 100%"

[[gate]]
require = "p95 <= baseline + 10%"  # of the first night, which has none: cannot be told

[sampling]
cpu = false
memory = false
"""


@dataclass(frozen=True)
class Night:
    """What one call of the script left behind."""

    folder: Path
    settings: dict[str, str]
    result: Result

    @property
    def run(self) -> Path:
        (plan,) = (self.folder / "reports").glob("*/plan.json")
        return plan.parent

    @property
    def summary(self) -> Summary:
        return read_model(self.run / "summary.json", Summary)


@pytest.fixture(scope="module")
def night(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Night]:
    folder = tmp_path_factory.mktemp("checkout")
    for name, text in {
        "scenarios/visit.py": SCENARIO,
        "profiles/short.toml": PROFILE,
        "app.py": HTTP_SERVER + "serve(sys.argv[1])\n",
    }.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(text)
    with start_postgresql() as server:
        settings = {
            "GITHUB_ACTIONS": "true",
            "GITHUB_STEP_SUMMARY": str(folder / "page.md"),
            "GITHUB_WORKSPACE": str(folder),
            "HARNESS_ARTIFACTS": f"file://{folder}/kept",
            "HARNESS_STORE": server.new_database(),
        }
        call = [REPOSITORY / "scripts" / "performance", "scenarios/visit.py", "short", "--target"]
        done = subprocess.run(
            [*map(str, call), f"{sys.executable} app.py {{port}}"],
            cwd=folder,
            env=os.environ
            | {"BASELINE_RUNS": "3", "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
            | settings,
            capture_output=True,
            text=True,
            timeout=120,
        )
        yield Night(folder, settings, Result(done.returncode, done.stdout, done.stderr))


def test_noise_makes_no_red_night_and_every_other_verdict_does(night: Night) -> None:
    verdict = night.summary.verdict  # broken, where the tests beside this one leave the generator no time
    assert night.result.code == {"inconclusive": 0, "broken": 4}[verdict], night.result.err
    assert f"verdict: {verdict}" in night.result.err
    told = "::warning file=scenarios/visit.py,title=p95 <= baseline + 10%25 in steady%3A inconclusive::"
    assert any(line.startswith(told) for line in night.result.err.splitlines())
    assert ("\n::error " in night.result.err) == (verdict == "broken")


def test_it_leaves_what_people_and_ci_read(night: Night) -> None:
    left = night.folder / "performance"
    assert {path.name for path in left.iterdir()} == {"report.html", "junit.xml", "summary.md", "comment.md"}
    assert (night.folder / "page.md").read_text().startswith((left / "summary.md").read_text())
    cases = ElementTree.parse(left / "junit.xml").findall("testsuite/testcase")
    assert [case.get("name") for case in cases][:2] == ["the run is valid", "error_rate <= 100%"]
    assert (left / "comment.md").read_text().startswith("<!-- harness visit short -->\n")


def test_it_is_the_baseline_where_it_held_and_in_the_teams_store_which_knows_its_copy(night: Night) -> None:
    with open_store(night.settings["HARNESS_STORE"], night.folder / "reports") as store:
        (run,) = store.stored_runs()
        assert store.is_of_a_baseline(run.run_id) == (night.result.code == 0)
    assert run.artifact == f"file://{night.folder}/kept/{night.run.name}"
    copies = {path.relative_to(night.folder / "kept") for path in (night.folder / "kept").rglob("*")}
    assert copies == {path.relative_to(night.run.parent) for path in night.run.rglob("*")} | {Path(night.run.name)}


def test_at_another_desk_the_run_is_judged_by_its_id(night: Night, tmp_path: Path) -> None:
    call = ("gate", night.run.name, "--require", "error_rate > 100%")  # fetched: there is no reports/ here
    result = harness(*call, cwd=tmp_path, env=night.settings)
    assert result.code == (4 if night.summary.verdict == "broken" else 1)
    assert "\n::error " in result.err
    assert (tmp_path / "reports" / night.run.name / "report.html").exists()

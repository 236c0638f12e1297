"""Two real builds under one load in turns: what differs is found, counts are exact, nothing is left running."""

from __future__ import annotations

import shlex
import subprocess
import sys
from collections import Counter
from contextlib import ExitStack
from itertools import product
from pathlib import Path

import numpy as np
import pytest

from harness.record.run_folder import RunFolder
from harness.recording import open_recording
from harness.recording.run import RunRecording
from tests.support.children import wait_until
from tests.support.command import latest_run
from tests.support.counting_server import CountingServer
from tests.support.in_process import Said, harness, running_in
from tests.support.targets import HTTP_SERVER

SCENARIO = """
from locust import HttpUser, constant, task

class Visitor(HttpUser):
    wait_time = constant(0.02)

    @task(3)
    def look(self):
        self.client.get("/health", name="/look")

    @task(1)
    def buy(self):
        self.client.get("/health", name="/buy")
"""
CLOSED = '[[phase]]\nname = "closed"\nkind = "steady"\nusers = 4\nduration = "4s"\n'
OPEN = '[[phase]]\nname = "open"\nkind = "steady"\nrate = "60/s"\nduration = "4s"\n'
LONG = "10s"
"""Where other tests may have the cores for a while: a change that shows in few blocks of turns is not clear."""


def build(folder: Path, name: str, delay_s: float) -> str:
    """A command that starts a server which takes so long for each request."""
    script = folder / f"{name}.py"
    script.write_text(
        HTTP_SERVER.replace(
            "    def do_GET(self):\n", f"    def do_GET(self):\n        import time; time.sleep({delay_s})\n"
        )
        + "http.server.ThreadingHTTPServer.request_queue_size = 64\nserve(sys.argv[1])\n"
    )
    return f"{shlex.quote(sys.executable)} {shlex.quote(str(script))} {{port}}"


def written(folder: Path, load: str) -> Path:
    (folder / "load.toml").write_text(load)
    scenario = folder / "visit.py"
    scenario.write_text(SCENARIO)
    return scenario


def recorded(folder: Path) -> RunRecording:
    run = open_recording(RunFolder(folder))
    assert isinstance(run, RunRecording)
    return run


def beside_a_slower_one(scenario: Path, folder: Path) -> tuple[Said, dict[str, int]]:
    """A duet of a server and a slower one, and what both have served."""
    with ExitStack() as running:
        a, b = (running.enter_context(CountingServer().running()) for _ in range(2))
        b.delay_s = 0.06
        urls = ("--a-url", a.url, "--b-url", b.url)
        said = harness("duet", scenario, "--profile", "load.toml", *urls, "--json", cwd=folder)
        return said, {"a": a.served.total(), "b": b.served.total()}


@pytest.mark.slow
@pytest.mark.alone  # while other tests run, the load generator is the bottleneck
def test_a_slower_build_is_found_in_both_models_and_every_request_counted(tmp_path: Path) -> None:
    scenario = written(tmp_path, CLOSED + OPEN)
    for _ in range(3):  # where something beside the tests takes the cores, a run comes to no verdict
        result, served = beside_a_slower_one(scenario, tmp_path)
        if result.exit_code not in (3, 4):
            break
    assert result.exit_code == 1, result.err
    summary = result.json
    assert summary["verdict"] == "fail"
    changes = {(change["phase"], change["endpoint"], change["metric"]): change for change in summary["changes"]}
    for phase, endpoint in product(("closed", "open"), (None, "GET /look", "GET /buy")):
        p50 = changes[phase, endpoint, "p50"]
        assert p50["meaning"] == "worse", p50
        assert p50["observed"] > p50["baseline"] + 20

    run = recorded(latest_run(tmp_path))
    counted: Counter[str] = Counter()
    for record in run.phases:
        counted[record.variant] += int(record.table.requests.sum())
        own = [number for number, turn in enumerate(record.turns) if turn]
        begun, requests = record.table.segment, record.table.requests
        # A request that its user is slow to send may come after the turn's end.
        elsewhere = ~np.isin(begun, own) & (begun < len(record.turns))
        assert requests[elsewhere].sum() < 0.1 * requests.sum()
    assert counted == served
    assert served["a"] > 100


@pytest.mark.slow
def test_side_by_side_both_builds_get_every_arrival_in_the_same_moment(tmp_path: Path) -> None:
    scenario = written(tmp_path, OPEN.replace("4s", LONG))
    with ExitStack() as running:
        a, b = (running.enter_context(CountingServer().running()) for _ in range(2))
        b.delay_s = 0.3
        urls = ("--a-url", a.url, "--b-url", b.url)
        result = harness("duet", scenario, "--profile", "load.toml", *urls, "--side-by-side", "--json", cwd=tmp_path)
        served = [a.served.total(), b.served.total()]
    assert served == [600, 600]  # 60 arrivals a second for 10 s, none of them in turns
    summary = result.json
    assert summary["duet"]["side_by_side"]
    (p50,) = [change for change in summary["changes"] if (change["endpoint"], change["metric"]) == (None, "p50")]
    assert p50["meaning"] == "worse"
    first, second = (
        np.bincount(record.table.segment, record.table.requests)[: len(record.turns)]
        for record in recorded(latest_run(tmp_path)).phases
    )
    assert first.sum() > 500
    assert np.abs(first - second).max() <= 2


@pytest.mark.slow
@pytest.mark.alone
def test_cpu_of_several_starts_is_compared_and_a_build_beside_itself_shows_no_change(tmp_path: Path) -> None:
    scenario = written(tmp_path, CLOSED)
    command = build(tmp_path, "app", 0.0)
    result = harness(
        *("duet", scenario, "--profile", "load.toml", "--a", command, "--b", command, "--starts", "2", "--json"),
        cwd=tmp_path,
    )
    summary = result.json
    assert result.exit_code in (0, 3, 4), result.err  # 4: something took the generator's core
    assert summary["duet"]["starts"] == 2
    (cpu,) = [change for change in summary["changes"] if change["metric"] == "cpu_per_request"]
    low, high = cpu["interval"]
    assert low < cpu["change"] < high
    assert 0.01 < cpu["baseline"] < 50
    folder = latest_run(tmp_path)
    assert (folder / "target-a.log").exists()
    assert (folder / "target-b.log").exists()
    assert 'id="builds"' in (folder / "report.html").read_text()

    judged = harness("gate", folder.name, "--require", "throughput >= baseline - 90%", cwd=tmp_path)
    assert judged.exit_code == 0, judged.err


@pytest.mark.slow
def test_a_commit_that_made_the_project_slower_is_found(tmp_path: Path) -> None:
    project = tmp_path / "project"
    project.mkdir()
    for delay_s in (0.0, 0.15):
        build(project, "app", delay_s)
        for words in (("init", "-q"), ("add", "app.py"), ("commit", "-qm", "change"), ("tag", f"after-{delay_s:g}")):
            identity = ("-c", "user.name=someone", "-c", "user.email=someone@example.org")
            subprocess.run(["git", *identity, *words], cwd=project, check=True)
    command = f"{shlex.quote(sys.executable)} app.py {{port}}"
    load = CLOSED.replace("4s", LONG)
    arguments = ("duet", written(project, load), "--profile", "load.toml", "--base", "after-0", "--target", command)
    summary = harness(*arguments, "--json", cwd=project).json
    (p50,) = [change for change in summary["changes"] if (change["endpoint"], change["metric"]) == (None, "p50")]
    assert p50["meaning"] == "worse"
    assert summary["duet"]["a"].startswith("after-0 ")
    worktrees = subprocess.run(["git", "worktree", "list"], cwd=project, check=True, capture_output=True, text=True)
    assert worktrees.stdout.count("\n") == 1


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        ((), 2),
        (("--a", "true"), 2),
        (("--a", "true", "--a-url", "http://127.0.0.1:9", "--b", "true"), 2),
        (("--a-url", "http://127.0.0.1:9", "--b", "true", "--starts", "2"), 2),
        (("--a", "true", "--b", "true", "--starts", "0"), 2),
        (("--a", "false {port}", "--b", "false {port}"), 4),
        (("--base", "main", "--a", "true"), 2),
        (("--base", "main"), 2),
        (("--base", "main", "--target", "true"), 2),
        (("--target", "true"), 2),
    ],
)
def test_builds_that_cannot_be_compared_are_named(arguments: tuple[str, ...], code: int, tmp_path: Path) -> None:
    result = harness("duet", written(tmp_path, CLOSED), "--profile", "load.toml", *arguments, cwd=tmp_path)
    assert (result.exit_code, result.out) == (code, "")
    assert result.err.count("\n") <= 6, result.err


@pytest.mark.slow
def test_a_build_that_dies_ends_the_duet_with_nothing_left_running(tmp_path: Path) -> None:
    scenario = written(tmp_path, CLOSED.replace("4s", "40s"))
    a, b = build(tmp_path, "a", 0.0), build(tmp_path, "b", 0.0)

    def kill() -> None:
        wait_until(lambda: list(tmp_path.glob("reports/*/journal")), seconds=60, what="the load's begin")
        for victim in wait_until(lambda: running_in(tmp_path, str(tmp_path / "b.py")), seconds=30, what="build B"):
            victim.kill()

    words = ("duet", scenario, "--profile", "load.toml", "--a", a, "--b", b, "--json")
    result = harness(*words, cwd=tmp_path, meanwhile=kill)
    assert result.exit_code == 4, result.err
    summary = result.json
    assert summary["verdict"] == "broken"
    assert {summary["artifacts"][f"target_{name}_log"] for name in "ab"} == {"target-a.log", "target-b.log"}
    assert all(f"target-{name}.log" in result.err for name in "ab")
    assert not running_in(tmp_path)

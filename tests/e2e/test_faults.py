"""Faults of a whole run: the target is paused, killed and started again under load, and nothing stays broken."""

from __future__ import annotations

import json
import shlex
import sys
from pathlib import Path

import psutil
import pyarrow.parquet as pq
import pytest

from harness import run
from harness.record.fault_events import FAULT_EVENTS
from tests.support.children import killed_at_end, wait_until
from tests.support.command import latest_run, start
from tests.support.faults import events_in, is_stopped, running, suspend
from tests.support.fork_servers import borrowing
from tests.support.in_process import harness, press_ctrl_c, running_in
from tests.support.small_disk import fill, small_disk
from tests.support.targets import HTTP_SERVER

SCENARIO = """
from locust import constant, task
from harness import HttpUser

class Visitor(HttpUser):
    wait_time = constant(0.1)

    @task
    def visit(self):
        self.client.get("/health")

def verify(target):
    import urllib.request
    assert urllib.request.urlopen(target.url + "/health").status == 200
"""
STEADY = '[[phase]]\nkind = "steady"\nusers = 5\nduration = "{duration}"\n\n[sampling]\ncpu = false\nmemory = false\n\n'
RUN = ("run", "visit.py", "--profile", "chaos.toml", "--target", f"{shlex.quote(sys.executable)} target.py {{port}}")
PAUSE = 'allowed_faults = ["{other}"]\n[[phase]]\n[[fault]]\nkind = "process"\naction = "pause"\nof = "{other}"\n'
CRASH = '[[phase]]\n[[fault]]\nname = "crash"\nkind = "process"\naction = "kill"\nat = "1s"\n'


def written(cwd: Path, profile: str, duration: str) -> None:
    (cwd / "visit.py").write_text(SCENARIO)
    (cwd / "target.py").write_text(HTTP_SERVER + "serve(sys.argv[1])\n")
    (cwd / "chaos.toml").write_text(profile.replace("[[phase]]", STEADY.format(duration=duration), 1))


@pytest.mark.slow
def test_a_run_survives_what_it_breaks(tmp_path: Path) -> None:
    profile = f"""
allowed_faults = ["command"]
[[phase]]
[[fault]]
name = "stands still"
kind = "process"
action = "pause"
at = "1s"
for = "1s"

[[fault]]
name = "crashes"
kind = "process"
action = "kill"
at = "3s"
for = "1s"

[[fault]]
name = "is deployed"
kind = "process"
action = "restart"
at = "6s"

[[fault]]
name = "marked"
kind = "command"
start = "touch {tmp_path}/mark"
stop = "rm {tmp_path}/mark"

[[gate]]
require = "error_rate < 99%"  # a run in which no gate reads a phase is void if the generator was slow
"""
    written(tmp_path, profile, "8s")
    result = harness(*RUN, "--json", cwd=tmp_path)
    assert result.error is None, result.err
    summary = result.json
    assert summary["verdict"] != "broken", summary["reasons"]
    assert summary["ends"] == []
    assert not [notice for notice in summary["notices"] if notice["code"].startswith("fault-")]
    verify = next(gate for gate in summary["gates"] if gate["require"] == "verify")
    assert verify["status"] == "pass", verify["reason"]
    assert 0 < summary["totals"]["failures"] < summary["totals"]["requests"]
    assert not (tmp_path / "mark").exists()
    folder = latest_run(tmp_path)
    events = FAULT_EVENTS.read(folder / "faults")
    assert sorted((event.name, event.event) for event in events) == sorted(
        (name, event) for name in ("stands still", "crashes", "is deployed", "marked") for event in ("began", "ended")
    )
    table = pq.read_table(folder / "faults.parquet").to_pylist()
    begins = {row["name"]: row["began_s"] for row in table}
    assert begins["crashes"] - begins["stands still"] > 0.5
    lasted = {row["name"]: row["ended_s"] - row["began_s"] for row in table}
    assert lasted["stands still"] > 0.5
    processes = pq.read_table(folder / "resources.parquet").to_pylist()
    targets = [row for row in processes if row["source"] == "target" and row["name"] == "processes"]
    assert targets[-1]["value"] == 1, "the target that was started again is sampled"


@pytest.mark.slow
def test_ctrl_c_leaves_nothing_broken(tmp_path: Path) -> None:
    with running() as other:
        profile = f"""
allowed_faults = ["pid:{other.pid}", "command"]
[[phase]]
[[fault]]
name = "neighbour stands still"
kind = "process"
action = "pause"
of = "pid:{other.pid}"

[[fault]]
name = "shop stands still"
kind = "process"
action = "pause"

[[fault]]
name = "marked"
kind = "command"
start = "touch {tmp_path}/mark"
stop = "rm {tmp_path}/mark"
"""
        written(tmp_path, profile, "60s")

        def interrupt() -> None:
            wait_until(lambda: is_stopped(other) and (tmp_path / "mark").exists(), seconds=90, what="the faults")
            (target,) = [each for each in running_in(tmp_path, "target.py") if "-m" not in each.cmdline()]
            assert wait_until(lambda: is_stopped(target))
            press_ctrl_c()

        assert harness(*RUN, cwd=tmp_path, meanwhile=interrupt).exit_code == 130
        wait_until(lambda: not running_in(tmp_path), what="the end of all processes")
        wait_until(lambda: not is_stopped(other))
        assert other.is_running()
        assert not (tmp_path / "mark").exists()
        folder = latest_run(tmp_path)
        ended = [name for name, event in events_in(folder / "faults") if event == "ended"]
        assert sorted(ended) == ["marked", "neighbour stands still", "shop stands still"]


@pytest.mark.slow
def test_a_disk_that_gets_full_ends_the_run_and_its_faults(tmp_path: Path) -> None:
    with small_disk(tmp_path / "small", "16m") as small, running() as other:
        written(tmp_path, PAUSE.format(other=f"pid:{other.pid}"), "60s")

        def fill_it() -> None:
            wait_until(lambda: is_stopped(other), seconds=90, what="the fault")
            fill(small)

        result = harness(*RUN, "--out", small, cwd=tmp_path, meanwhile=fill_it)
        assert result.exit_code in (2, 4), result.err
        assert "No space left" in result.err
        assert not is_stopped(other)
        wait_until(lambda: not running_in(tmp_path), what="the end of all processes")


class FailingWatcher:
    """Follows a run, and fails once there is a file."""

    def __init__(self, file: Path) -> None:
        self._file = file

    def notify(self, message: object) -> None: ...

    def load_begins(self, *_: object) -> None: ...

    def load_ended(self) -> None: ...

    def update(self, journal: object) -> None:  # noqa: ARG002
        if self._file.exists():
            raise ZeroDivisionError


@pytest.mark.slow
def test_faults_are_undone_before_teardown_even_if_the_harness_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    command = '[[phase]]\n[[fault]]\nkind = "command"\nstart = "touch mark"\nstop = "rm mark"\n'
    written(tmp_path, f'allowed_faults = ["command"]\n{command}', "60s")
    with Path("visit.py").open("a") as script:
        script.write("\ndef teardown(target):\n    import os; open('files', 'w').write(str(os.listdir()))\n")
    watcher = FailingWatcher(tmp_path / "mark")
    with borrowing(), pytest.raises(ZeroDivisionError):
        run(scenario="visit.py", profile="chaos.toml", target=RUN[-1], watcher=watcher, workers=1)
    assert "'mark'" not in Path("files").read_text()


@pytest.mark.slow
def test_a_harness_that_is_killed_while_its_target_is_down_starts_nothing_again(tmp_path: Path) -> None:
    written(tmp_path, CRASH, "60s")
    with killed_at_end(start(*RUN, cwd=tmp_path, group=True)):
        wait_until(lambda: list(tmp_path.glob("reports/*/faults")), seconds=90, what="the process of faults")
        folder = latest_run(tmp_path)
        wait_until(lambda: events_in(folder / "faults") == [("crash", "began")], what="the fault")
        (supervisor,) = running_in(tmp_path, "harness.targets.supervise")
        wait_until(lambda: not supervisor.children(), what="the target's end")
    wait_until(lambda: not running_in(tmp_path), what="the end of all processes")
    assert events_in(folder / "faults") == [("crash", "began"), ("crash", "ended")]


@pytest.mark.slow
def test_a_target_that_does_not_come_back_breaks_the_run_and_the_fault_is_named(tmp_path: Path) -> None:
    written(tmp_path, CRASH + 'for = "1s"\n', "20s")
    with (tmp_path / "target.py").open("r+") as script:  # it starts only once
        once = 'import os\nos.remove("target.py")\n' + script.read()
        script.seek(0)
        script.write(once)
    result = harness(*RUN, "--json", cwd=tmp_path)
    summary = result.json
    assert (result.exit_code, summary["verdict"]) == (4, "broken")
    (reason, *_) = summary["verdict_reasons"]
    assert reason["code"] == "target-was-lost"
    assert '"crash"' in reason["text"]
    assert summary["duration_s"] < 15
    assert events_in(latest_run(tmp_path) / "faults") == [("crash", "began"), ("crash", "ended")]


@pytest.mark.slow
def test_a_run_that_is_killed_with_all_its_processes_says_what_is_left_to_undo(tmp_path: Path) -> None:
    with running() as other:
        written(tmp_path, PAUSE.format(other=f"pid:{other.pid}"), "60s")
        with killed_at_end(start(*RUN, cwd=tmp_path, group=True)) as process:
            wait_until(lambda: is_stopped(other), seconds=90, what="the fault")
            folder = latest_run(tmp_path)
            guard, child = running_in(tmp_path, "harness.faults")
            suspend(psutil.Process(process.pid))  # as all at once: none of them may replace another
            guard.kill()
            child.kill()
        wait_until(lambda: not running_in(tmp_path), what="the end of all processes")
        harness("report", folder.name, cwd=tmp_path)
        notices = json.loads((folder / "summary.json").read_text())["notices"]
        (left,) = [notice for notice in notices if notice["code"] == "fault-left-open"]
        assert left["params"]["name"] == "process"
        assert f"pid:{other.pid}" in left["text"]
        other.resume()


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        ('kind = "process"\naction = "kill"\nof = "worker"\n', "fault-target-without-process"),
        ('kind = "process"\naction = "kill"\nof = "pid:4194304"\n', "fault-not-allowed"),
    ],
)
def test_a_fault_that_cannot_be_is_refused_before_any_load(fault: str, code: str, tmp_path: Path) -> None:
    written(tmp_path, f"[[phase]]\n[[fault]]\n{fault}", "5s")
    result = harness(*RUN, cwd=tmp_path)
    assert result.exit_code == 2, result.err
    assert code in (result.code, *[problem.code for problem in getattr(result.error, "problems", [])])
    assert str(result.error).startswith("chaos.toml:") or "chaos.toml:" in str(result.error)
    assert not list(tmp_path.glob("reports/*/journal"))

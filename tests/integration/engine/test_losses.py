"""What a run loses on its way, and that it says so: a worker that leaves it, a journal that takes nothing more."""

from __future__ import annotations

import resource
import textwrap
from pathlib import Path

import pytest

from harness.control.load_processes import LoadProcesses
from harness.record.journal import Journal
from tests.support.counting_server import CountingServer
from tests.support.engine import phase, plan_of, put_load, requests_by_endpoint, scenario


def getter(folder: Path, task: str) -> Path:
    text = """
    from locust import FastHttpUser, constant, task

    class Getter(FastHttpUser):
        wait_time = constant(0.1)

        @task
        def get(self):
            self.client.get("/ok")
    """
    return scenario(folder, textwrap.dedent(text) + textwrap.indent(textwrap.dedent(task), " " * 8))


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["harness.finished", "quit"])
def test_a_worker_that_leaves_early_is_lost(server: CountingServer, tmp_path: Path, kind: str) -> None:
    leaving = f"""
    runner = self.environment.runner
    if runner.worker_index == 0 and not hasattr(runner, "reported"):
        runner.reported = True
        runner.send_message({kind!r}, {{"dropped": 0, "errors": {{}}, "exit_code": None}})
    """
    plan = plan_of(getter(tmp_path, leaving), [phase((4, 4, 2.5))], workers=2)
    journal = put_load(plan, server.url, tmp_path)
    (event,) = journal.events
    assert (event.kind, event.message.code) == ("worker lost", "worker-lost")
    assert (event.message.params["worker"], event.message.params["left"]) == (0, 1)
    assert journal.end_reason == "done"
    assert {worker.worker for second in journal.seconds[-1:] for worker in second.workers} == {1}


@pytest.mark.slow
def test_a_journal_that_cannot_be_written_ends_the_run_and_stays_readable(
    server: CountingServer, tmp_path: Path
) -> None:
    limited: list[int] = []

    def fill_the_disk(load: LoadProcesses, journal: Journal) -> None:
        if not limited and len(journal.seconds) >= 2:
            limited.append((tmp_path / "run" / "journal").stat().st_size)
            # What a full disk is to the master: it can write no byte behind those that there are.
            resource.prlimit(load.pids()[0], resource.RLIMIT_FSIZE, (limited[0], limited[0]))

    plan = plan_of(getter(tmp_path, ""), [phase((4, 4, 40))])
    journal = put_load(plan, server.url, tmp_path, fill_the_disk)
    assert limited
    assert len(journal.seconds) >= 2
    assert journal.end_reason is None
    # To its planned end four users would have sent some 1,400.
    assert 0 < requests_by_endpoint(journal)["GET /ok"] <= server.served["GET /ok"] < 700

"""What user code does to its load process, and that the run stays true: forks, exits, another working folder."""

from __future__ import annotations

import textwrap
import time
from pathlib import Path

import pytest

from harness.messages import Message
from harness.record.journal import Journal
from tests.support.children import wait_until
from tests.support.counting_server import CountingServer
from tests.support.engine import phase, plan_of, put_load, requests_by_endpoint, scenario
from tests.support.targets import runs


def run(folder: Path, url: str, task: str, *, at_import: str = "", hold_s: float = 1.5) -> Journal:
    """The load of two users whose task runs these lines after each request; ``Getter.requests`` counts them."""
    head = """
    import os, pathlib, sys, time
    from gevent.monkey import get_original
    from locust import FastHttpUser, constant, task
    notes = pathlib.Path(__file__).with_name("notes")

    class Getter(FastHttpUser):
        wait_time = constant(0.1)
        requests = 0

        @task
        def get(self):
            self.client.get("/ok")
            Getter.requests += 1
    """
    text = textwrap.dedent(head) + textwrap.indent(textwrap.dedent(task), " " * 8) + textwrap.dedent(at_import)
    return put_load(plan_of(scenario(folder, text), [phase((2, 2, hold_s))]), url, folder)


@pytest.mark.parametrize("then", ["time.sleep(0.2); return", 'get_original("time", "sleep")(600)'])
def test_a_fork_of_a_task_is_not_a_worker_and_does_not_outlive_one(
    server: CountingServer, tmp_path: Path, then: str
) -> None:
    forking = f"""
    if Getter.requests == 3 and os.fork() == 0:
        notes.write_text(str(os.getpid()))
        {then}
    """
    journal = run(tmp_path, server.url, forking)
    assert journal.end_reason == "done"
    assert requests_by_endpoint(journal)["GET /ok"] == server.served["GET /ok"]
    clone = int((tmp_path / "notes").read_text())
    wait_until(lambda: not runs(clone), what="the end of the clone")


def test_a_file_that_forks_on_import_runs_once(server: CountingServer, tmp_path: Path) -> None:
    journal = run(tmp_path, server.url, "", at_import="os.fork()\n")
    assert journal.end_reason == "done"
    assert requests_by_endpoint(journal)["GET /ok"] == server.served["GET /ok"]


@pytest.mark.parametrize("command", ["exec sleep 100", "setsid sleep 100 & echo $! > notes.new; mv notes.new notes"])
def test_what_a_task_starts_ends_with_the_run(server: CountingServer, tmp_path: Path, command: str) -> None:
    starting = f"""
    if Getter.requests == 3:
        import subprocess
        child = subprocess.Popen(["sh", "-c", {command!r}], cwd=notes.parent)
        if "notes" not in {command!r}:
            notes.write_text(str(child.pid))
    """
    run(tmp_path, server.url, starting)
    child = int((tmp_path / "notes").read_text())
    wait_until(lambda: not runs(child), what="its end")


def test_a_task_that_exits_its_worker_ends_the_run_and_loses_no_request(server: CountingServer, tmp_path: Path) -> None:
    ending = """
    import logging
    if Getter.requests == 2:
        logging.error("of %d requests", "many")  # printed, not raised
    if Getter.requests == 5:
        logging.getLogger("plugin").error("more than %d failed", 4)
        logging.info("bye")
        time.sleep(0.2)  # as locust-plugins' ExitOnFail does
        sys.exit('enough failed')
    """
    journal = run(tmp_path, server.url, ending)
    assert journal.end_reason == "scenario"
    assert requests_by_endpoint(journal)["GET /ok"] == server.served["GET /ok"] >= 5
    (exited,) = [event.message for event in journal.events if event.kind == "exit code"]
    assert (exited.code, exited.params["code"]) == ("scenario-exited", "enough failed")
    assert isinstance(exited.params["logged"], Message)
    assert exited.params["logged"].params["line"] == "more than 4 failed"
    assert not [event for event in journal.events if event.message.code == "task-raised"]


@pytest.mark.slow
def test_responses_that_are_held_until_the_end_are_recorded(server: CountingServer, tmp_path: Path) -> None:
    """By the user itself, and by its module."""
    holding = """
        import harness, locust

        held = []

        def get(user):
            user.last = user.client.get(f"/{type(user).__name__}", catch_response=True)
            held.append(user.client.get("/status/503", catch_response=True))

        class Own(harness.HttpUser):
            tasks, wait_time = [get], locust.constant(0.5)

        class Fast(locust.FastHttpUser):
            tasks, wait_time = [get], locust.constant(0.5)

        class Plain(locust.HttpUser):
            tasks, wait_time = [get], locust.constant(0.5)

        class Stream(harness.HttpUser):
            wait_time = locust.constant(0.5)

            @locust.task
            def stream(self):
                held.append(self.client.get("/stream", stream=True))
    """
    plan = plan_of(scenario(tmp_path, textwrap.dedent(holding)), [phase((4, 4, 2.5))])
    journal = put_load(plan, server.url, tmp_path)
    assert requests_by_endpoint(journal) == server.served
    assert len(server.served) == 5


def test_a_process_that_ends_without_a_word_is_given_no_words_of_another(
    server: CountingServer, tmp_path: Path
) -> None:
    journal = run(tmp_path, server.url, "if Getter.requests == 5: os._exit(0)\n")
    (event,) = journal.events
    assert event.message.code == "last-worker-lost"
    reason = event.message.params["reason"]
    assert isinstance(reason, Message)
    assert reason.code == "process-ended-silently"


def test_a_file_may_change_the_working_folder(
    server: CountingServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    text = "import os\nfrom locust import FastHttpUser, task\nos.chdir('/')\nclass Getter(FastHttpUser):\n"
    path = scenario(tmp_path, text + "    @task\n    def get(self):\n        self.client.get('/ok')\n")
    journal = put_load(plan_of(path, [phase((1, 1, 1))]), server.url, Path("runs"))
    assert journal.end_reason == "done"
    assert (tmp_path / "runs" / "run" / "journal").is_file()


def test_a_file_finds_its_role_in_the_arguments_as_with_locust(server: CountingServer, tmp_path: Path) -> None:
    noting = "\nwith notes.open('a') as all: all.write(' '.join(['--master', '--worker'][i] for i in (0, 1) if"
    run(tmp_path, server.url, "", at_import=f"{noting} ['--master', '--worker'][i] in sys.argv) + ' ')\n")
    assert sorted((tmp_path / "notes").read_text().split()) == ["--master", "--worker"]


@pytest.mark.slow
def test_user_code_that_computes_for_seconds_is_named(server: CountingServer, tmp_path: Path) -> None:
    computing = """
    if Getter.requests == 3:
        begun = time.process_time()
        while time.process_time() - begun < 2: sum(range(10000))
    """
    journal = run(tmp_path, server.url, computing, hold_s=2)
    (event,) = journal.events
    assert (event.kind, event.message.code) == ("scenario", "event-loop-blocked")
    assert str(event.message.params["location"]) == f"{tmp_path / 'scenario.py'}:18"


def test_a_thread_that_does_not_end_delays_nothing_and_is_named(server: CountingServer, tmp_path: Path) -> None:
    starting = """
    import threading
    def beat():
        while True:
            time.sleep(0.1)
    threading.Thread(target=beat, name="heartbeat").start()
    """
    begun = time.monotonic()
    journal = run(tmp_path, server.url, "", at_import=starting)
    assert time.monotonic() - begun < 20
    assert journal.end_reason == "done"
    assert (tmp_path / "run" / "harness.log").read_text().count("heartbeat") == 2, "master and worker"


def test_an_option_of_locust_in_the_environment_that_it_would_reject_ends_no_worker(
    server: CountingServer, tmp_path: Path
) -> None:
    # As if it had been set when the worker began: the processes of tests are forked.
    setting = 'os.environ.update(LOCUST_LOGLEVEL="x", LOCUST_USERS="many")\n'
    journal = run(tmp_path, server.url, "", at_import=setting)
    assert journal.end_reason == "done"
    assert requests_by_endpoint(journal)["GET /ok"] == server.served["GET /ok"] > 0

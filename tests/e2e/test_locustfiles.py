"""Locust files of all kinds, run as they are: what Locust promises their users, tasks and listeners holds here, too."""

from __future__ import annotations

import json
import textwrap
from collections import Counter
from itertools import pairwise
from pathlib import Path

import pytest

from harness.record.journal import read_journal
from tests.support.command import latest_run
from tests.support.counting_server import CountingServer
from tests.support.engine import requests_by_endpoint
from tests.support.in_process import harness

PACKAGE = {
    "common.py": """
        import json
        import os
        from pathlib import Path
        from locust.runners import MasterRunner

        NAMES = Path(__file__).with_name("names.txt").read_text().split()

        def note(environment, what, value=None):
            role = "master" if isinstance(environment.runner, MasterRunner) else "worker"
            with open(os.environ["NOTES"], "a") as notes:
                notes.write(json.dumps([role, os.getpid(), what, value]) + "\\n")
    """,
    "listeners.py": """
        from locust import events
        from locust.runners import MasterRunner

        from .common import NAMES, note
        from .users import Visitor

        environment = None
        bytes_received = 0

        @events.init_command_line_parser.add_listener
        def add_arguments(parser):
            parser.add_argument("--greeting", required=True)
            parser.add_argument("--tone", env_var="TONE", default="loud")
            parser.add_argument("--times", type=int, default=3)
            parser.add_argument("--sizes", type=lambda text: frozenset(text.split(",")), default="")

        @events.init.add_listener
        def begin(**given):
            global environment
            environment = given["environment"]
            note(environment, "init", vars(environment.parsed_options)["times"])
            environment.runner.register_message("names", on_names)
            environment.runner.register_message("thanks", on_thanks)

        def on_names(environment, msg, **_):
            Visitor.names = msg.data
            environment.runner.send_message("thanks", {"for": len(msg.data)})

        def on_thanks(environment, msg, **_):
            note(environment, "thanks", msg.data["for"])

        @events.worker_connect.add_listener
        def on_worker(client_id):
            note(environment, "worker_connect")

        @events.test_start.add_listener
        def share_names(environment, **_):
            note(environment, "test_start", environment.runner.target_user_count)
            note(environment, "sizes", sorted(environment.parsed_options.sizes))
            if isinstance(environment.runner, MasterRunner):
                workers = list(environment.runner.clients)
                for index, worker in enumerate(workers):
                    environment.runner.send_message("names", NAMES[index :: len(workers)], worker)

        @events.spawning_complete.add_listener
        def on_spawned(user_count):
            note(environment, "spawning_complete", user_count)

        @events.request.add_listener
        def on_request(response_length, **_):
            global bytes_received
            bytes_received += response_length

        @events.report_to_master.add_listener
        def add_bytes(client_id, data):
            global bytes_received
            data["bytes"], bytes_received = bytes_received, 0

        @events.worker_report.add_listener
        def sum_bytes(client_id, data):
            global bytes_received
            bytes_received += data["bytes"]

        @events.user_error.add_listener
        def on_error(user_instance, exception, tb):
            note(environment, "user_error", str(exception))

        @events.test_stopping.add_listener
        def on_stopping(environment, **_):
            note(environment, "test_stopping")

        @events.test_stop.add_listener
        def on_stop(environment, **_):
            note(environment, "test_stop")

        @events.quitting.add_listener
        def judge(environment, **_):
            note(environment, "quitting", [environment.stats.total.num_requests, bytes_received])
            if environment.stats.get("Admin", "GET").num_requests:
                environment.process_exit_code = 7

        @events.quit.add_listener
        def on_quit(exit_code):
            note(environment, "quit", exit_code)
    """,
    "users.py": """
        import socket
        import time
        from urllib.parse import urlsplit

        from locust import (
            FastHttpUser, HttpUser, SequentialTaskSet, TaskSet, User, between, constant_pacing, constant_throughput,
            tag, task,
        )
        from locust.exception import StopUser
        from locust.user.markov_taskset import MarkovTaskSet, transition

        class TurnAndTurnAbout(MarkovTaskSet):
            @transition("back")
            def forth(self):
                self.client.get("/forth")

            @transition("forth")
            def back(self):
                self.client.get("/back")
                self.interrupt()

        class Shop(TaskSet):
            tasks = [TurnAndTurnAbout]

            @tag("buys")
            @task
            class Checkout(SequentialTaskSet):
                @task
                def cart(self):
                    self.client.post("/cart", json={})

                @task
                def pay(self):
                    self.client.post("/pay", json={})
                    self.interrupt(reschedule=False)

            @task
            def browse(self):
                self.client.get("/untagged")

        class Base(HttpUser):
            abstract = True

            def on_start(self):
                given = self.environment.parsed_options
                self.client.get(f"/{given.greeting}/{given.tone}/{self.names.pop()}", name="/greeting")

        class Visitor(Base):
            weight = 3
            wait_time = between(0.05, 0.1)
            tasks = {Shop: 2}

            @tag("buys", "breaks")
            @task(4)  # so often that some visitor surely comes to it: a stay in the Shop lasts a second or two
            def breaks(self):
                raise LookupError("nothing to buy")

        class Admin(FastHttpUser):
            fixed_count = 1
            wait_time = constant_pacing(0.1)
            done = 0

            @tag("buys")
            @task
            def administrate(self):
                self.client.get("/admin", name="Admin")
                self.done += 1
                if self.done == self.environment.parsed_options.times:
                    raise StopUser()

        class Raw(User):
            wait_time = constant_throughput(20)

            @tag("buys")
            @task
            def speak(self):
                address = urlsplit(self.host)
                begun = time.perf_counter()
                with socket.create_connection((address.hostname, address.port)) as connection:
                    connection.sendall(b"GET /raw HTTP/1.0\\r\\n\\r\\n")
                    answer = connection.recv(4096)
                self.environment.events.request.fire(
                    request_type="tcp", name="raw", response_time=(time.perf_counter() - begun) * 1000,
                    response_length=len(answer), exception=None, context={},
                )

        class Idle(FastHttpUser):
            wait_time = lambda self: 0.1

            @task
            def untagged(self):
                self.client.get("/untagged")

        class NotChosen(FastHttpUser):
            @tag("buys")
            @task
            def call(self):
                self.client.get("/not-chosen")
    """,
}
PROFILE = """
    [[phase]]
    kind = "steady"
    users = 8
    duration = "3s"
"""
IN_THIS_ORDER = ["init", "test_start", "spawning_complete", "test_stopping", "test_stop", "quitting", "quit"]


@pytest.mark.slow
def test_a_package_with_all_that_locust_offers_runs_on_master_and_workers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "shop"
    package.mkdir()
    for name, text in {"__init__.py": "", **PACKAGE, "names.txt": " ".join(f"n{n}" for n in range(8))}.items():
        (package / name).write_text(textwrap.dedent(text))
    (tmp_path / "quick.toml").write_text(textwrap.dedent(PROFILE))
    notes_file = tmp_path / "notes"
    monkeypatch.setenv("NOTES", str(notes_file))
    monkeypatch.setenv("TONE", "soft")
    with CountingServer().running() as server:
        result = harness(
            *("run", package, "--profile", "quick.toml", "--workers", "2", "--host", server.url, "--json"),
            *("--tags", "buys", "--", "--greeting", "hallo", "--sizes", "s,m", "Visitor", "Admin", "Raw", "Idle"),
            cwd=tmp_path,
        )
    summary = result.json
    assert result.exit_code in (1, 4), result.err  # 4 if other tests leave the generator no time
    assert ("scenario-exit-code", 7) in [
        (reason["code"], reason["params"].get("exit_code")) for reason in summary["verdict_reasons"]
    ]

    recorded = requests_by_endpoint(read_journal(latest_run(tmp_path) / "journal"))
    served = Counter(server.served)
    greetings = [served.pop(name) for name in list(served) if name.startswith("GET /hallo/soft/n")]
    assert set(greetings) == {1}  # each visitor had a name of its own
    expected = served + Counter({"GET /greeting": len(greetings)})
    assert recorded == {{"GET /admin": "GET Admin", "GET /raw": "tcp raw"}.get(k, k): n for k, n in expected.items()}
    assert served["GET /admin"] == 3
    assert served["POST /pay"] <= served["POST /cart"]
    assert served["POST /pay"] > 0
    assert set(served) == {"GET /admin", "GET /raw", "GET /forth", "GET /back", "POST /cart", "POST /pay"}

    notes = [json.loads(line) for line in notes_file.read_text().splitlines()]
    noted = {(role, what): value for role, _, what, value in notes}
    by_process: dict[tuple[str, int], list[str]] = {}
    for role, pid, what, _ in notes:
        by_process.setdefault((role, pid), []).append(what)
    assert sorted(role for role, _ in by_process) == ["master", "worker", "worker"]
    for whats in by_process.values():
        firsts = [whats.index(what) for what in IN_THIS_ORDER]
        assert all(one < next_one for one, next_one in pairwise(firsts)), whats
    assert [what for role, _, what, _ in notes if role == "master"].count("worker_connect") == 2
    assert noted["master", "test_start"] == 8
    assert noted["worker", "init"] == 3
    assert noted["worker", "sizes"] == noted["master", "sizes"] == ["m", "s"]
    assert noted["master", "thanks"] == 4
    assert noted["worker", "spawning_complete"] == 8
    assert noted["worker", "user_error"] == "nothing to buy"
    assert noted["master", "quitting"][0] == sum(recorded.values())
    assert noted["master", "quitting"][1] > 0
    assert noted["master", "quit"] == 7

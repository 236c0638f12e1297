"""Who joins a run, who does not, and what becomes of workers that fail and scenarios that end their run."""

from __future__ import annotations

import textwrap
from collections.abc import Callable
from pathlib import Path

import locust
import pytest

from harness.cluster import messages
from harness.cluster.joining import join_request
from harness.cluster.listen_address import ListenAddress
from harness.cluster.secret import Keys, new_secret
from harness.control.load_processes import LoadProcesses
from harness.messages import Message, message
from harness.record.journal import Journal
from harness.record.run_folder import RunFolder
from tests.support.children import wait_until
from tests.support.counting_server import CountingServer
from tests.support.engine import phase, plan_of, put_load, requests_by_endpoint, scenario
from tests.support.fork_servers import fork_server
from tests.support.hostile_peers import Peer, RecordingRelay, idle_connections, send_raw

GETTER = """
    from locust import FastHttpUser, constant, task

    class Getter(FastHttpUser):
        wait_time = constant(0.05)

        @task
        def get(self):
            self.client.get("/ok")
"""
_FLOOD = 400


def once(act: Callable[[LoadProcesses], None]) -> Callable[[LoadProcesses, Journal], None]:
    """Act in the second second of the run."""
    left = [act]

    def when_it_runs(load: LoadProcesses, journal: Journal) -> None:
        if left and journal.seconds:
            left.pop()(load)

    return when_it_runs


def rejection_of(peer: Peer) -> object:
    """The master's rejection of its join request, whatever else it sends."""

    def rejected() -> object:
        reply = peer.receive(0.1)
        return reply[1] if reply and reply[0] == messages.REJECTED else None

    return wait_until(rejected, what="a reply to a join request")


def code_of(reply: object) -> str:
    assert isinstance(reply, dict)
    return Message.from_data(reply["reason"]).code


@pytest.mark.slow
def test_peers_without_the_secret_neither_join_nor_disturb_the_run(server: CountingServer, tmp_path: Path) -> None:
    secret = new_secret()
    listen_address = ListenAddress(secret=secret)
    replies: list[object] = []

    def disturb(load: LoadProcesses) -> None:
        send_raw(load.port, b"\xff\x00\x00\x00\x00\x00\x00\x00\x01\x7f" + b"\x00" * 200)
        send_raw(load.port, b"GET / HTTP/1.1\r\nHost: master\r\n\r\n")
        send_raw(load.port, bytes(range(256)) * 64)
        for keys in (None, Keys.derive(new_secret())):
            peer = Peer(load.port, keys, "stranger")
            peer.send_message("client_ready", "2.43.0")
            replies.append(peer.receive(0.3))
            peer.close()
        replay(load)
        with idle_connections(load.port, _FLOOD):
            send_rubbish(load)
        load.stop("interrupted")

    def replay(load: LoadProcesses) -> None:
        relay = RecordingRelay(load.port)
        machine = Peer(relay.port, Keys.derive(secret), "guest")
        machine.send_message(messages.JOIN, join_request(1))
        replies.append(rejection_of(machine))
        received = relay.received
        machine.close()
        relay.close()
        send_raw(load.port, received)

    def send_rubbish(load: LoadProcesses) -> None:
        known = Peer(load.port, Keys.derive(secret), "babbler")
        for data in (b"", b"\xc1", b"\xff" * 100, b"\x91" * 5000, b"\x93\xa1a\xc0"):
            known.send(data)
        known.send(b"two", b"frames")
        for kind in ("heartbeat", "stats", "spawning_complete", "client_stopped", "quit", "exception", "locustfile"):
            known.send_message(kind, None)
        for kind in (messages.SECOND, messages.FINISHED, messages.JOINED, messages.FAILED, messages.JOIN):
            for rubbish in (None, {}, {"index": "x", "second": []}, [1]):
                known.send_message(kind, rubbish)
        known.send_message(7, {})
        known.send_message(messages.JOIN, join_request(1) | {"versions": {"harness": "0.0.1"}})
        replies.append(rejection_of(known))
        known.close()

    plan = plan_of(scenario(tmp_path, GETTER), [phase((6, 6, 600))], workers=1)
    journal = put_load(plan, server.url, tmp_path, once(disturb), listen_address=listen_address)

    assert replies[:2] == [None, None]
    assert code_of(replies[2]) == "join-local-run"
    assert code_of(replies[3]) == "join-versions-differ"
    assert journal.end_reason == "interrupted"
    assert requests_by_endpoint(journal) == server.served
    assert {worker.worker for second in journal.seconds for worker in second.workers} == {0}
    # The join request was accepted once; its replay was not.
    assert (tmp_path / "run" / "harness.log").read_text().count(str(message("join-local-run"))) == 1


def test_the_targets_url_is_not_a_process_argument(tmp_path: Path) -> None:
    """Those everybody on the machine can read."""
    plan = plan_of(scenario(tmp_path, GETTER), [phase((1, 1, 30))])
    with LoadProcesses(fork_server(), RunFolder.create(tmp_path, "run"), plan) as load:
        load.begin(["http://me:s3cret@127.0.0.1:9"])
        shown = [Path(f"/proc/{pid}/cmdline").read_text() for pid in load.pids()]
        load.kill()
    assert len(shown) == 2
    assert "s3cret" not in "".join(shown)


def test_a_worker_that_cannot_begin_ends_the_run_at_once_with_its_last_output(
    server: CountingServer, tmp_path: Path
) -> None:
    only_the_master = GETTER + textwrap.indent(
        textwrap.dedent(
            """
            import sys
            if "harness.engine.worker" in " ".join(sys.orig_argv):
                raise LookupError("no licence here")
            """
        ),
        "    ",
    )
    plan = plan_of(scenario(tmp_path, only_the_master), [phase((2, 2, 5))])
    journal = put_load(plan, server.url, tmp_path)
    assert journal.end_reason == "workers lost"
    (event,) = journal.events
    assert (event.message.code, event.message.params["worker"]) == ("worker-ended-before-start", 0)
    reason = event.message.params["reason"]
    assert isinstance(reason, Message)
    assert reason.code == "process-ended"
    assert str(reason.params["last_line"]).endswith("LookupError: no licence here")


def test_a_task_that_quits_the_runner_ends_the_run_gracefully(server: CountingServer, tmp_path: Path) -> None:
    quitter = """
    from locust import FastHttpUser, constant, task

    class Quitter(FastHttpUser):
        wait_time = constant(0.2)

        @task
        def get(self):
            self.client.get("/ok")
            self.environment.runner.quit()
    """
    plan = plan_of(scenario(tmp_path, quitter), [phase((4, 4, 40))], workers=2)
    journal = put_load(plan, server.url, tmp_path)
    assert (journal.end_reason, [event.kind for event in journal.events]) == ("scenario", ["scenario"])
    assert journal.phases[0].reason == "cut short"
    assert requests_by_endpoint(journal) == server.served


@pytest.mark.slow
def test_a_worker_whose_event_loop_is_blocked_is_not_lost(server: CountingServer, tmp_path: Path) -> None:
    absorbed = """
    from gevent.monkey import get_original
    from locust import FastHttpUser, constant, task

    class Absorbed(FastHttpUser):
        wait_time = constant(0.1)

        @task
        def get(self):
            self.client.get("/ok")

        @task
        def compute(self):
            if self.environment.runner.worker_index == 0 and not hasattr(self.environment, "computed"):
                self.environment.computed = True
                get_original("time", "sleep")(4)  # which blocks the event loop
    """
    plan = plan_of(scenario(tmp_path, absorbed), [phase((4, 4, 6))], workers=2)
    journal = put_load(plan, server.url, tmp_path)
    assert journal.end_reason == "done"
    assert journal.events == []
    assert max(worker.lag_ms for second in journal.seconds for worker in second.workers) > 3_500
    assert requests_by_endpoint(journal) == server.served


@pytest.mark.slow
def test_a_worker_that_leaves_before_the_run_gets_no_users(server: CountingServer, tmp_path: Path) -> None:
    """Another one takes its number."""
    secret = new_secret()
    peers: list[Peer] = []

    def join(load: LoadProcesses, index: int, name: str) -> Peer:
        peers.append(peer := Peer(load.port, Keys.derive(secret), name))
        peer.send_message("client_ready", locust.__version__)
        peer.send_message(messages.JOINED, {"index": index, "host": name, "clock_ms": [0.0, 0.0]})
        return peer

    def act(load: LoadProcesses, _: Journal) -> None:
        if not peers:
            leaving = join(load, 1, "leaving")
            leaving.send_message(messages.FAILED, {"index": 1, "reason": message("worker-left").to_data()})
            leaving.send_message(messages.JOIN, join_request(1) | {"versions": {"harness": "0.0.1"}})
            rejection_of(leaving)  # so its number is free
            state = {"state": "running", "current_cpu_usage": 0, "current_memory_usage": 0, "clock_ms": None, "sent": 0}
            for index in (1, 2):
                join(load, index, f"staying {index}").send_message("heartbeat", state)
        for peer in peers[1:]:
            if (reply := peer.receive(0)) and reply[0] == messages.FINISH:
                peer.send_message(messages.FINISHED, {"dropped": 0, "errors": [], "exit_code": None})

    plan = plan_of(scenario(tmp_path, GETTER), [phase((6, 6, 3))]).model_copy(update={"remote_workers": 2})
    journal = put_load(plan, server.url, tmp_path, act, listen_address=ListenAddress(secret=secret))
    for peer in peers:
        peer.close()
    assert (journal.end_reason, journal.events) == ("done", [])
    assert max(worker.users for second in journal.seconds for worker in second.workers) == 2

"""The engine on a real server: every request counted once, phases kept, response time from the intended start."""

from __future__ import annotations

import os
import re
import signal
import time
from pathlib import Path

import pytest

from harness.analysis.figures import phase_summary
from harness.control.load_processes import LoadProcesses
from harness.control.supervisor import MasterWatch
from harness.engine.phase_runner import LAST_SECOND_S, TAKE_OVER_S
from harness.errors import ExitCode, HarnessError
from harness.gates.run_totals import RunTotals
from harness.messages import Message
from harness.plan.expression import parse_limit, parse_requirement
from harness.plan.model.phase import SearchRange
from harness.plan.model.run import Gate
from harness.record.endpoint_second import Lateness
from harness.record.journal import Journal
from harness.record.run_folder import RunFolder
from harness.recording.run import phase_records
from tests.support.counting_server import CountingServer
from tests.support.engine import (
    iterations_of,
    phase,
    plan_of,
    put_load,
    requests_by_endpoint,
    response_of,
    scenario,
    service_of,
)
from tests.support.fork_servers import fork_server
from tests.support.judged import judge

GETTER = """
    from locust import constant, task
    from harness import HttpUser

    class Getter(HttpUser):
        wait_time = constant(0.05)

        @task(3)
        def a(self):
            self.client.get("/a")

        @task
        def b(self):
            self.client.get("/slow/20")
"""

CROWDED = """
    from locust import constant, task
    from harness import HttpUser

    class Crowd(HttpUser):
        wait_time = constant(0.03)

        @task
        def go(self):
            crowded = self.environment.runner.user_count > 5
            self.client.get("/status/503" if crowded else "/ok", name="/go")
"""


@pytest.mark.slow
def test_phases_of_both_models_follow_each_other_and_every_request_is_counted(
    server: CountingServer, tmp_path: Path
) -> None:
    phases = [
        phase((0, 10, 1), name="ramp", kind="ramp"),
        phase((10, 10, 2)),
        phase((50, 50, 2), model="open", name="open"),
        phase((0, 0, 1), kind="pause", name="pause"),
        phase((3, 3, 1), (6, 6, 1), kind="stress", name="stress").model_copy(
            update={"until": parse_limit("error_rate > 1%")}
        ),
        phase((3, 3, 1.5), name="again"),
    ]
    journal = put_load(plan_of(scenario(tmp_path, GETTER), phases, workers=2), server.url, tmp_path)
    assert requests_by_endpoint(journal) == server.served
    assert iterations_of(journal) == server.served.total()
    assert journal.end_reason == "done"
    assert [(span.phase, span.reason) for span in journal.phases] == [(number, "done") for number in range(6)]
    for span, planned in zip(journal.phases, phases, strict=True):
        assert span.end_s is not None
        # What the last step came to is known a second later.
        longer_s = LAST_SECOND_S if planned.kind == "stress" else 0
        late_s = span.end_s - span.start_s - planned.duration_s - longer_s
        assert -0.01 < late_s < 5  # no phase is cut short; on a busy machine, the master wakes up late
    steady = journal.phases[1]
    users = [s.users for s in journal.seconds if steady.start_s + 1 <= s.second < (steady.end_s or 0) - 1]
    assert set(users) <= {10}
    assert response_of(journal, 1).count > 50
    # If the message of the new phase is late, users continue at their own pace until then: in two seconds 360 more.
    assert 100 <= response_of(journal, 2).count < 250
    assert response_of(journal, 3).count == 0
    assert journal.phases[4].held_segment == 1, "its limit never broke"
    assert response_of(journal, 5).count > 0
    assert journal.seconds[-2].users == 3


@pytest.mark.slow
def test_open_arrivals_keep_their_rate_whatever_the_target_does(server: CountingServer, tmp_path: Path) -> None:
    stalled_s: list[float] = []

    def stall_for_a_second(_: LoadProcesses, journal: Journal) -> None:
        if not stalled_s and journal.seconds:
            stalled_s.append(time.monotonic())
            server.stalled.set()
        elif stalled_s and time.monotonic() > stalled_s[0] + 1:
            server.stalled.clear()

    plan = plan_of(scenario(tmp_path, GETTER), [phase((100, 100, 4), model="open", max_users=20)])
    journal = put_load(plan, server.url, tmp_path, stall_for_a_second)
    assert requests_by_endpoint(journal) == server.served
    # Nothing was dropped: 20 users were too few while the target stalled, and the others' wait is in their times.
    assert response_of(journal, 0).count == 400
    response, service = response_of(journal, 0), service_of(journal, 0)
    assert service.count == 400
    assert response.max_us > 500_000
    assert response.mean_us > service.mean_us + 20_000
    assert sum(worker.late for second in journal.seconds for worker in second.workers) > 20


@pytest.mark.slow
def test_arrivals_that_wait_at_the_end_are_still_served(server: CountingServer, tmp_path: Path) -> None:
    slow = GETTER.replace('"/a"', '"/slow/100"').replace('"/slow/20"', '"/slow/100"')
    journal = put_load(
        plan_of(scenario(tmp_path, slow), [phase((30, 30, 2), model="open", max_users=2)]), server.url, tmp_path
    )
    assert (response_of(journal, 0).count, server.served.total(), journal.events) == (60, 60, [])
    (lateness,) = Lateness.merged([part for second in journal.seconds for part in second.lateness])
    # All are in it, and the wait for the two users, a second at the end, is not the generator's doing.
    assert lateness.delay.count == lateness.own.count == 60
    assert lateness.delay.max_us > lateness.own.max_us + 500_000


@pytest.mark.slow
def test_a_generator_that_is_the_limit_says_so_and_how_many_workers_it_takes(
    server: CountingServer, tmp_path: Path
) -> None:
    burning = """
        import time
        from locust import task
        from harness import HttpUser

        class Burning(HttpUser):
            @task
            def burn(self):
                until_s = time.thread_time() + 0.02
                while time.thread_time() < until_s:
                    pass
                self.client.get("/a")
    """
    plan = plan_of(scenario(tmp_path, burning), [phase((100, 100, 1.2), model="open", max_users=4)], stop_timeout_s=30)
    gate = Gate(comparison=parse_requirement("p95 < 60s"))
    plan = plan.model_copy(update={"gates": (gate,)})
    journal = put_load(plan, server.url, tmp_path)
    # It did late what it could not do in time.
    assert requests_by_endpoint(journal) == server.served == {"GET /a": 120}
    folder = RunFolder(tmp_path / "run")
    folder.plan.write_text(plan.model_dump_json())
    summary = judge(folder)
    (ran,), (judged,) = summary.phases, summary.gates
    assert (summary.verdict, summary.exit_code, judged.status) == ("broken", 4, "inconclusive")
    assert summary.generator.saturated
    assert ran.generator_limited is not None
    assert ran.generator_limited in judged.reason
    # 100/s at 20 ms and what a request costs are some 2.1 cores at 0.6 a worker. One begins when another is done.
    assert re.search(r"use at least [3456] workers \(--workers", ran.generator_limited)
    assert ran.late > 90
    assert ran.lateness_ms.p99 is not None
    assert ran.lateness_ms.p99 > 500


@pytest.mark.slow
def test_throughput_counts_what_the_phase_started_over_its_length(server: CountingServer, tmp_path: Path) -> None:
    """One user whose iteration of 3 s outlasts the phase: the server never sees more than 10 requests a second."""
    slow = """
        import time
        from locust import task
        from harness import HttpUser

        class Slow(HttpUser):
            @task
            def browse(self):
                for _ in range(30):
                    self.client.get("/a")
                    time.sleep(0.1)
    """
    plan = plan_of(scenario(tmp_path, slow), [phase((1, 1, 1.5))], stop_timeout_s=30)
    journal = put_load(plan, server.url, tmp_path)
    folder = RunFolder(tmp_path / "run")
    folder.plan.write_text(plan.model_dump_json())
    (ran,) = judge(folder).phases
    assert ran.requests == server.served.total() == 30
    assert 0 < ran.throughput_rps <= 10
    assert ran.endpoints[0].throughput_rps == ran.throughput_rps
    totals = RunTotals(plan)
    totals.update(journal)
    live = totals.total(0)
    assert live is not None
    assert live.rate == pytest.approx(ran.throughput_rps)


TWO_CLASSES = """
    from locust import task
    from harness import HttpUser

    made = 0

    class Quick(HttpUser):
        weight = 3

        def __init__(self, environment):
            global made
            made += 1
            if made == 2:
                raise ConnectionError("this user cannot be made")
            super().__init__(environment)

        @task
        def go(self):
            self.client.get("/quick")

    class Slow(HttpUser):
        @task
        def go(self):
            self.client.get("/slow/400")
"""


@pytest.mark.slow
def test_arrivals_are_shared_by_weight_however_slow_a_class_is(server: CountingServer, tmp_path: Path) -> None:
    plan = plan_of(scenario(tmp_path, TWO_CLASSES), [phase((40, 40, 3), model="open")])
    journal = put_load(plan, server.url, tmp_path)
    assert requests_by_endpoint(journal) == server.served == {"GET /quick": 90, "GET /slow/400": 30}


@pytest.mark.slow
def test_users_too_few_for_every_class_serve_all_arrivals(server: CountingServer, tmp_path: Path) -> None:
    plan = plan_of(scenario(tmp_path, TWO_CLASSES), [phase((20, 20, 2), model="open", max_users=1)])
    assert requests_by_endpoint(put_load(plan, server.url, tmp_path)) == {"GET /quick": 40}


@pytest.mark.slow
def test_max_users_below_the_number_of_workers_is_kept_and_all_arrivals_are_served(
    server: CountingServer, tmp_path: Path
) -> None:
    plan = plan_of(scenario(tmp_path, GETTER), [phase((40, 40, 3), model="open", max_users=1)], workers=2)
    journal = put_load(plan, server.url, tmp_path)
    assert max(second.users for second in journal.seconds) == 1
    assert (response_of(journal, 0).count, server.served.total(), journal.events) == (120, 120, [])


@pytest.mark.slow
def test_arrivals_wake_users_from_the_think_time_of_the_phase_before(server: CountingServer, tmp_path: Path) -> None:
    thoughtful = GETTER.replace("constant(0.05)", "constant(60)")
    phases = [phase((5, 5, 1)), phase((20, 20, 2), model="open", max_users=5)]
    journal = put_load(plan_of(scenario(tmp_path, thoughtful), phases), server.url, tmp_path)
    assert (response_of(journal, 1).count, journal.events) == (40, [])


@pytest.mark.slow
def test_a_task_set_that_cannot_start_does_not_try_for_ever_at_once(server: CountingServer, tmp_path: Path) -> None:
    failing = """
        from locust import TaskSet, constant, task
        from harness import HttpUser

        class Steps(TaskSet):
            def on_start(self):
                raise RuntimeError("no session")

            @task
            def step(self):
                self.client.get("/step")

        class Someone(HttpUser):
            wait_time = constant(0.5)
            tasks = [Steps]
    """
    plan = plan_of(scenario(tmp_path, failing), [phase((5, 5, 3), model="open", max_users=2)], stop_timeout_s=1)
    journal = put_load(plan, server.url, tmp_path)
    assert (journal.end_reason, [event.kind for event in journal.events]) == ("done", ["dropped", "scenario"])


@pytest.mark.slow
def test_a_run_that_is_stopped_ends_gracefully_with_all_its_results(server: CountingServer, tmp_path: Path) -> None:
    def interrupt(load: LoadProcesses, journal: Journal) -> None:
        if journal.seconds and journal.seconds[-1].second >= 1:
            load.stop("interrupted")

    plan = plan_of(scenario(tmp_path, GETTER), [phase((20, 20, 30)), phase((20, 20, 30))], workers=2)
    journal = put_load(plan, server.url, tmp_path, interrupt)
    assert journal.end_reason == "interrupted"
    assert [span.reason for span in journal.phases] == ["cut short"]
    assert requests_by_endpoint(journal) == server.served
    assert journal.failures == []


def test_requests_that_outlast_the_stop_timeout_are_recorded_as_interrupted(
    server: CountingServer, tmp_path: Path
) -> None:
    slow = """
        from locust import FastHttpUser, HttpUser, task

        class Fast(FastHttpUser):
            @task
            def slow(self):
                self.client.get("/slow/20000")

        class Plain(HttpUser):
            @task
            def slow(self):
                with self.client.get("/slow/20001", catch_response=True) as answer:
                    answer.success()
    """
    plan = plan_of(scenario(tmp_path, slow), [phase((6, 6, 1))], stop_timeout_s=0.5)
    journal = put_load(plan, server.url, tmp_path)
    assert requests_by_endpoint(journal) == server.served == {"GET /slow/20000": 3, "GET /slow/20001": 3}
    assert {failure.failure.partition(":")[0] for failure in journal.failures} == {"interrupted"}
    assert sum(failure.count for failure in journal.failures) == 6


@pytest.mark.slow
def test_responses_that_should_have_had_a_block_are_recorded(server: CountingServer, tmp_path: Path) -> None:
    without_block = """
        import harness, locust

        def get(user):
            user.client.get(f"/{type(user).__name__}", catch_response=True)
            failed = user.client.get("/status/503", catch_response=True)

        class Own(harness.HttpUser):
            tasks, wait_time = [get], locust.constant(0.1)

        class Fast(locust.FastHttpUser):
            tasks, wait_time = [get], locust.constant(0.1)

        class Plain(locust.HttpUser):
            tasks, wait_time = [get], locust.constant(0.1)
    """
    journal = put_load(plan_of(scenario(tmp_path, without_block), [phase((3, 3, 2))]), server.url, tmp_path)
    assert requests_by_endpoint(journal) == server.served
    assert len(server.served) == 4
    failures = [failure.count for failure in journal.failures if "503" in failure.failure]
    assert sum(failures) == server.served["GET /status/503"]


@pytest.mark.slow
def test_failures_of_every_kind_are_named_and_end_no_user(server: CountingServer, tmp_path: Path) -> None:
    failing = """
        from locust import constant, task
        from harness import HttpUser

        class Failing(HttpUser):
            wait_time = constant(0.05)

            @task
            def status(self):
                self.client.get("/status/503")

            @task
            def garbage(self):
                self.client.get("/garbage")

            @task
            def wrong_answer(self):
                with self.client.get("/a", catch_response=True) as answer:
                    answer.failure("not what was asked for")

            @task
            def block_raises(self):
                with self.client.get("/b", catch_response=True) as answer:
                    answer.json()["missing"]

            @task
            def task_raises(self):
                self.client.get("/c")
                raise RuntimeError("a mistake in the scenario")

            @task
            def nobody_listens(self):
                self.client.get("http://127.0.0.1:9/", name="/nobody")
    """
    journal = put_load(plan_of(scenario(tmp_path, failing), [phase((4, 4, 4))]), server.url, tmp_path)
    recorded = requests_by_endpoint(journal)
    del recorded["GET /nobody"]
    assert recorded == server.served
    kinds = {(str(journal.endpoints[f.endpoint]), f.failure) for f in journal.failures}
    assert ("GET /status/503", "HTTP 503") in kinds
    assert ("GET /a", "not what was asked for") in kinds
    assert ("GET /b", "KeyError: 'missing'") in kinds
    assert any(endpoint == "GET /nobody" and "Refused" in failure for endpoint, failure in kinds)
    assert any(endpoint == "GET /garbage" for endpoint, _ in kinds)
    assert {sample.detail.get("status") for sample in journal.samples} >= {"503"}
    assert journal.seconds[2].users == 4
    raised = {str(event.message.params["error"]): event for event in journal.events}
    for error, path in (("KeyError: 'missing'", "/b"), ("RuntimeError: a mistake in the scenario", "/c")):
        count = server.served[f"GET {path}"]
        event = raised.pop(f"a task raised {error}")
        assert (event.kind, event.message.code, event.count) == ("scenario", "scenario-error-repeated", count)
    assert not raised


@pytest.mark.slow
def test_requests_are_counted_once_whatever_their_listeners_and_timeouts_do(
    server: CountingServer, tmp_path: Path
) -> None:
    disturbing = """
        import gevent
        from locust import HttpUser as PlainUser, constant, events, task
        from locust.exception import RescheduleTask
        from harness import HttpUser

        @events.request.add_listener
        def give_up(name, **_):
            if name == "/status/500":
                raise RescheduleTask()

        @events.init.add_listener
        def listen_last(environment, **_):
            environment.events.request.add_listener(stand_still)

        def stand_still(name, **_):
            if name == "/b":
                gevent.sleep(60)

        class GivesUp(HttpUser):
            wait_time = constant(0.1)

            @task
            def fails(self):
                self.client.get("/status/500")

        class StandsStill(HttpUser):
            @task
            def waits_for_its_listener(self):
                self.client.get("/b")

        class Impatient(PlainUser):
            wait_time = constant(0.1)

            @task
            def hangs_up(self):
                with gevent.Timeout(0.6, False):  # long enough for the request to be sent on a busy machine
                    self.client.get("/slow/3000")
    """
    journal = put_load(
        plan_of(scenario(tmp_path, disturbing), [phase((6, 6, 2))], stop_timeout_s=0.5), server.url, tmp_path
    )
    recorded = requests_by_endpoint(journal)
    assert recorded == server.served
    assert min(recorded[name] for name in ("GET /status/500", "GET /b", "GET /slow/3000")) > 0


@pytest.mark.slow
def test_a_stress_phase_ends_with_the_step_that_breaks_its_limit(server: CountingServer, tmp_path: Path) -> None:
    stress = phase((2, 2, 2), (4, 4, 2), (8, 8, 2), (16, 16, 2), kind="stress", name="stress").model_copy(
        update={"until": parse_limit("error_rate > 50%")}
    )
    journal = put_load(plan_of(scenario(tmp_path, CROWDED), [stress]), server.url, tmp_path)
    (span,) = journal.phases
    assert (span.reason, span.held_segment, len(span.segments)) == ("limit broke", 1, 4)
    (event,) = journal.events
    assert (event.kind, event.message.code) == ("limit broke", "limit-broken-at-users")
    assert event.message.params["users"] == 8
    assert "error_rate > 50%" in str(event.message.params["finding"])


@pytest.mark.slow
def test_a_search_closes_in_on_the_level_that_breaks_its_limit(server: CountingServer, tmp_path: Path) -> None:
    search = phase((5, 8, 50), kind="search", name="search").model_copy(
        update={"until": parse_limit("error_rate > 50%"), "search": SearchRange(start=5, to=8, shortest_s=5)}
    )
    journal = put_load(plan_of(scenario(tmp_path, CROWDED), [search]), server.url, tmp_path)
    (span,) = journal.phases
    assert [chosen.level for chosen in span.chosen if chosen.counts] == [5, 8, 6]
    assert span.held_segment is not None
    assert (span.reason, span.chosen[span.held_segment].level) == ("done", 5)
    (record,) = phase_records(plan_of(scenario(tmp_path, CROWDED), [search]), journal)
    figures = phase_summary(record, journal)
    assert [(step.level, step.held) for step in figures.steps] == [(5, True), (8, False), (6, False)]
    # Not 5 where the generator itself stood without a core at that level, which proves nothing then.
    assert (figures.capacity, figures.capacity_interval) in ((5, (5, 6)), (0, (0, 6)))


@pytest.mark.slow
def test_a_stress_step_in_which_the_target_stood_still_did_not_hold(server: CountingServer, tmp_path: Path) -> None:
    def freeze_the_target(_: LoadProcesses, journal: Journal) -> None:
        if not journal.phases:
            return
        (span,) = journal.phases
        if span.end_s is not None:
            server.stalled.clear()
        elif time.time() > journal.epoch_s + span.start_s + 2.2:  # long before the second step has the 20 that it takes
            server.stalled.set()

    stress = phase((2, 2, 3), (4, 4, 1), (8, 8, 2), kind="stress", name="stress").model_copy(
        update={"until": parse_limit("p95 > 1s")}
    )
    journal = put_load(plan_of(scenario(tmp_path, GETTER), [stress]), server.url, tmp_path, freeze_the_target)
    (span,) = journal.phases
    assert (span.held_segment, len(span.segments)) == (0, 3)


@pytest.mark.slow
def test_a_lost_worker_is_reported_and_the_others_go_on(server: CountingServer, tmp_path: Path) -> None:
    killed: list[int] = []

    def kill_one(load: LoadProcesses, journal: Journal) -> None:
        if not killed and journal.seconds and journal.seconds[-1].second >= 1:
            killed.append(load.pids()[-1])
            os.kill(killed[0], signal.SIGKILL)

    by_worker = """
    from locust import task
    from harness import HttpUser

    class Getter(HttpUser):
        @task
        def get(self):
            self.client.get(f"/of/{self.environment.runner.worker_index}")
"""
    plan = plan_of(scenario(tmp_path, by_worker), [phase((50, 50, 9), model="open")], workers=2)
    journal = put_load(plan, server.url, tmp_path, kill_one)
    (lost,) = journal.events
    assert (lost.kind, journal.end_reason) == ("worker lost", "done")
    # From one moment on, the other worker gets all arrivals; before, it got every second one. Each arrives once.
    due_s = [(number + 0.5) / 50 for number in range(450)]
    shared = sum(at_s < lost.at_s + TAKE_OVER_S - journal.phases[0].start_s for at_s in due_s)
    served = max(server.served.values())
    assert shared < 300, "the worker was lost while the phase ran"
    assert served == pytest.approx(shared / 2 + (450 - shared), abs=1.5)


@pytest.mark.slow
def test_a_worker_that_only_stood_still_is_counted_to_its_last_request(server: CountingServer, tmp_path: Path) -> None:
    standing: list[int] = []
    awake: list[int] = []

    def stand_still_until_it_is_noticed(load: LoadProcesses, journal: Journal) -> None:
        if not standing and not awake and len(journal.seconds) > 1:
            standing.append(load.pids()[-1])
            os.kill(standing[0], signal.SIGSTOP)
        if standing and journal.events:
            awake.append(standing.pop())
            os.kill(awake[0], signal.SIGCONT)

    plan = plan_of(scenario(tmp_path, GETTER), [phase((10, 10, 12))], workers=2)
    journal = put_load(plan, server.url, tmp_path, stand_still_until_it_is_noticed)
    assert [event.kind for event in journal.events] == ["worker lost"]
    assert requests_by_endpoint(journal) == server.served


@pytest.mark.slow
def test_a_stalled_master_is_reported_and_then_killed(server: CountingServer, tmp_path: Path) -> None:
    said: list[str] = []
    watches: list[MasterWatch] = []

    def stop_the_master(load: LoadProcesses, journal: Journal) -> None:
        if not watches and journal.seconds:
            os.kill(load.pids()[0], signal.SIGSTOP)
            watches.append(MasterWatch(load, lambda text: said.append(text.code), warn_s=2.5, kill_s=4))
        for watch in watches:
            watch(journal)

    journal = put_load(plan_of(scenario(tmp_path, GETTER), [phase((5, 5, 100))]), server.url, tmp_path, stop_the_master)
    assert said == ["master-stalled", "master-killed"]
    assert journal.end_reason is None


@pytest.mark.slow
def test_a_master_that_recovers_is_not_killed(server: CountingServer, tmp_path: Path) -> None:
    said: list[str] = []
    watches: list[MasterWatch] = []

    def stop_the_master_for_a_while(load: LoadProcesses, journal: Journal) -> None:
        if not watches and journal.seconds:
            os.kill(load.pids()[0], signal.SIGSTOP)
            watches.append(MasterWatch(load, lambda text: said.append(text.code), warn_s=2.5, kill_s=60))
        before = len(said)
        for watch in watches:
            watch(journal)
        if len(said) > before:
            os.kill(load.pids()[0], signal.SIGCONT)

    plan = plan_of(scenario(tmp_path, GETTER), [phase((5, 5, 8))])
    journal = put_load(plan, server.url, tmp_path, stop_the_master_for_a_while)
    assert "master-killed" not in said
    assert said[0] == "master-stalled"
    assert journal.end_reason == "done"
    assert requests_by_endpoint(journal) == server.served


def test_when_the_last_worker_is_lost_the_run_ends(server: CountingServer, tmp_path: Path) -> None:
    def kill_the_only_one(load: LoadProcesses, journal: Journal) -> None:
        if journal.seconds and len(load.pids()) > 1:
            os.kill(load.pids()[-1], signal.SIGKILL)

    plan = plan_of(scenario(tmp_path, GETTER), [phase((5, 5, 30))])
    journal = put_load(plan, server.url, tmp_path, kill_the_only_one)
    assert journal.end_reason == "workers lost"


def test_a_master_that_is_killed_before_it_listens_is_reported_by_its_signal(tmp_path: Path) -> None:
    plan = plan_of(scenario(tmp_path, GETTER), [phase((5, 5, 30))])
    with LoadProcesses(fork_server(), RunFolder.create(tmp_path, "run"), plan) as load:
        os.kill(load.pids()[0], 40)  # a real-time signal: Python has no name for it
        with pytest.raises(HarnessError) as raised:
            load.begin(["http://127.0.0.1:9"])
    assert (raised.value.code, raised.value.exit_code) == ("master-not-started", ExitCode.BROKEN)
    how = raised.value.params["how"]
    assert isinstance(how, Message)
    assert (how.code, how.params) == ("process-killed", {"signal": "signal 40"})


@pytest.mark.slow
def test_a_run_that_is_stopped_before_its_workers_have_joined_was_interrupted(
    server: CountingServer, tmp_path: Path
) -> None:
    def interrupt(load: LoadProcesses, _: Journal) -> None:
        load.stop("interrupted")

    journal = put_load(plan_of(scenario(tmp_path, GETTER), [phase((2, 2, 30))]), server.url, tmp_path, interrupt)
    assert (journal.end_reason, journal.events) == ("interrupted", [])


@pytest.mark.slow
def test_a_scenario_may_be_called_locust_and_print_and_prepare_its_test(
    server: CountingServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    talkative = (
        GETTER
        + """
    import time
    from locust import events

    print("imported")

    @events.test_start.add_listener
    def prepare(**_):
        print("prepared", flush=True)
        time.sleep(1)
"""
    )
    monkeypatch.chdir(tmp_path)
    plan = plan_of(scenario(tmp_path, talkative, "locust.py"), [phase((50, 50, 3), model="open")])
    journal = put_load(plan, server.url, tmp_path)
    assert requests_by_endpoint(journal) == server.served
    # The run begins when all is prepared: no arrival has waited for it.
    assert sum(row.requests for row in journal.seconds[0].endpoint_seconds) > 0
    log = (tmp_path / "run" / "harness.log").read_text()
    assert (log.count("imported"), log.count("prepared")) == (2, 2)


def test_a_load_shape_that_raises_ends_the_run_gracefully(server: CountingServer, tmp_path: Path) -> None:
    raising = (
        GETTER
        + """
    from locust import LoadTestShape

    class Breaks(LoadTestShape):
        def tick(self):
            if self.get_run_time() > 1:
                raise ValueError("no such stage")
            return 3, 10
"""
    )
    shape = phase(kind="shape", name="shape")
    journal = put_load(plan_of(scenario(tmp_path, raising), [shape], has_shape=True), server.url, tmp_path)
    assert (journal.end_reason, journal.phases[0].reason) == ("error", "cut short")
    (event,) = journal.events
    assert event.message.code == "shape-raised"
    assert event.message.params == {"error": "ValueError: no such stage"}
    assert requests_by_endpoint(journal) == server.served
    assert server.served.total() > 0


@pytest.mark.slow
def test_a_load_shape_sets_the_users_and_ends_the_phase(server: CountingServer, tmp_path: Path) -> None:
    shaped = (
        GETTER
        + """
    from locust import LoadTestShape

    class Other(HttpUser):
        wait_time = constant(0.05)

        @task
        def other(self):
            self.client.get("/other")

    class Base(LoadTestShape):
        abstract = True

        def tick(self):
            given = self.runner.environment.parsed_options
            if self.get_run_time() > given.run_time:
                return None
            if self.get_run_time() < 2:
                return 3, given.spawn_rate, [Getter]
            return given.num_users, given.spawn_rate, [Other]

    class Stairs(Base):
        use_common_options = True
"""
    )
    shape = phase(kind="shape", name="shape")
    plan = plan_of(scenario(tmp_path, shaped), [shape], has_shape=True)
    arguments = ("--users", "6", "--spawn-rate", "10", "--run-time", "4s")
    journal = put_load(plan.model_copy(update={"arguments": arguments}), server.url, tmp_path)
    users = [second.users for second in journal.seconds]
    assert {3, 6} <= {*users[:4]}, users
    assert max(users) == 6
    assert journal.end_reason == "done"
    recorded = requests_by_endpoint(journal)
    assert recorded == server.served
    assert recorded["GET /other"] > 0
    first = {str(journal.endpoints[row.endpoint]) for row in journal.seconds[0].endpoint_seconds}
    assert first <= {"GET /a", "GET /slow/20"}


def test_a_load_shape_ends_with_the_run_time(server: CountingServer, tmp_path: Path) -> None:
    endless = (
        GETTER
        + """
    from locust import LoadTestShape

    class Endless(LoadTestShape):
        def tick(self):
            return (3, 10) if self.get_run_time() < 20 else None
"""
    )
    shape = phase(kind="shape", name="shape").model_copy(update={"most_s": 1.5})
    journal = put_load(plan_of(scenario(tmp_path, endless), [shape], has_shape=True), server.url, tmp_path)
    (span,) = journal.phases
    assert (journal.end_reason, span.reason) == ("done", "done")
    assert span.end_s is not None
    assert 1.4 < span.end_s - span.start_s < 10
    assert requests_by_endpoint(journal) == server.served


def test_a_scenario_ends_the_whole_run_with_its_exit_code(server: CountingServer, tmp_path: Path) -> None:
    quits = (
        GETTER
        + """
    class Judge(HttpUser):
        fixed_count = 1

        @task
        def end(self):
            if self.environment.stats.total.num_requests > 5:
                self.environment.process_exit_code = 5
                self.environment.runner.quit()
                self.client.get("/last")
"""
    )
    plan = plan_of(scenario(tmp_path, quits), [phase((4, 4, 40))], workers=2)
    journal = put_load(plan, server.url, tmp_path)
    assert journal.end_reason == "scenario"
    assert [span.reason for span in journal.phases] == ["cut short"]
    exit_codes = [event.message.params["exit_code"] for event in journal.events if event.kind == "exit code"]
    assert exit_codes == [5]
    assert requests_by_endpoint(journal) == server.served
    assert server.served["GET /last"] > 0


@pytest.mark.slow
@pytest.mark.parametrize("role", ["MasterRunner", "WorkerRunner"])
def test_a_scenario_that_quits_in_an_init_listener_puts_on_no_load(
    server: CountingServer, tmp_path: Path, role: str
) -> None:
    quits = (
        GETTER
        + f"""
    from locust import events, runners

    @events.init.add_listener
    def refuse(environment, **_):
        if isinstance(environment.runner, runners.{role}):
            environment.process_exit_code = 5
            environment.runner.quit()
"""
    )
    journal = put_load(plan_of(scenario(tmp_path, quits), [phase((2, 2, 5))]), server.url, tmp_path)
    assert journal.end_reason == "scenario"
    assert [event.message.params["exit_code"] for event in journal.events if event.kind == "exit code"] == [5]
    assert not server.served


@pytest.mark.parametrize("code", ["'not enough stock'", "object()", "1 << 70"])
@pytest.mark.parametrize("event", ["user_error", "quitting"])
def test_an_exit_code_that_none_can_be_ends_the_run_as_1(
    server: CountingServer, tmp_path: Path, code: str, event: str
) -> None:
    """``user_error`` is fired in workers, ``quitting`` in the master."""
    odd = (
        GETTER
        + f"""
    class Stumbler(HttpUser):
        fixed_count = 1

        @task
        def stumble(self):
            raise ValueError

    from locust import events

    @events.{event}.add_listener
    def judge(**_):
        Judged.environment.process_exit_code = {code}

    class Judged:
        pass

    @events.init.add_listener
    def keep(environment, **_):
        Judged.environment = environment
"""
    )
    journal = put_load(plan_of(scenario(tmp_path, odd), [phase((2, 2, 1))]), server.url, tmp_path)
    found = [event.message.params["exit_code"] for event in journal.events if event.kind == "exit code"]
    assert (journal.end_reason, found) == ("done", [1])
    assert "worker lost" not in [event.kind for event in journal.events]


@pytest.mark.slow
def test_tests_for_pytest_are_paced_and_stopped_like_any_user(server: CountingServer, tmp_path: Path) -> None:
    tests = """
        def test_front(fastsession):
            fastsession.get("/front").raise_for_status()
            fastsession.get("/status/404").raise_for_status()
            fastsession.get("/never")
    """
    path = scenario(tmp_path, tests, "test_shop.py")
    journal = put_load(plan_of(path, [phase((20, 20, 2), model="open")]), server.url, tmp_path)
    assert requests_by_endpoint(journal) == server.served == {"GET /front": 40, "GET /status/404": 40}
    assert iterations_of(journal) == 40


@pytest.mark.slow
def test_task_sets_nested_and_sequential_run_in_both_models(server: CountingServer, tmp_path: Path) -> None:
    nested = """
        from locust import SequentialTaskSet, TaskSet, User, constant, task
        from harness import HttpUser

        class Steps(SequentialTaskSet):
            @task
            def one(self):
                self.client.get("/one")

            @task
            def two(self):
                self.client.get("/two")
                self.interrupt()

        class Outer(TaskSet):
            tasks = [Steps]

            @task
            def outside(self):
                self.client.get("/outside")

        class Nested(HttpUser):
            wait_time = constant(0.05)
            tasks = [Outer]
    """
    phases = [phase((3, 3, 2)), phase((40, 40, 2), model="open")]
    journal = put_load(plan_of(scenario(tmp_path, nested), phases), server.url, tmp_path)
    recorded = requests_by_endpoint(journal)
    assert recorded == server.served
    assert 0 <= recorded["GET /one"] - recorded["GET /two"] <= 10
    # Until their worker hears of the next phase, the three users continue at their own pace: in two seconds 110 more.
    assert 80 <= response_of(journal, 1).count < 170


@pytest.mark.slow
def test_each_task_gets_its_share_in_both_models_over_all_workers(server: CountingServer, tmp_path: Path) -> None:
    weighted = """
        import time
        from locust import SequentialTaskSet, TaskSet, User, constant, task

        class Client:
            def __init__(self, event):
                self.fire = event.fire

            def count(self, name):
                self.fire(request_type="DO", name=name, response_time=1, response_length=0, exception=None)

        class Counting(User):
            abstract = True

            def __init__(self, environment):
                super().__init__(environment)
                self.client = Client(environment.events.request)

        class Own(TaskSet):
            @task(1)
            def never(self):
                self.client.count("never")

            def get_next_task(self):
                return Own.chosen

            def chosen(self):
                self.client.count("chosen")
                self.interrupt()

        class InOrder(SequentialTaskSet):
            @task
            def first(self):
                self.client.count("first")

            @task
            def second(self):
                self.client.count("second")
                self.interrupt()

        class Shopper(Counting):
            wait_time = constant(0.02)
            tasks = {Own: 2, InOrder: 2}

            @task(80)
            def browse(self):
                self.client.count("browse")

            @task(11)
            def cart(self):
                self.client.count("cart")

            @task(5)
            def checkout(self):
                self.client.count("checkout")
    """
    phases = [phase((40, 40, 2)), phase((700, 700, 2.5), model="open", max_users=10)]
    journal = put_load(plan_of(scenario(tmp_path, weighted), phases, workers=2), server.url, tmp_path)
    for number in range(2):
        counts = requests_by_endpoint(journal, number)
        assert counts["DO never"] == 0
        dealt = counts.total() - counts["DO second"]
        for name, weight in {"browse": 80, "cart": 11, "checkout": 5, "chosen": 2, "first": 2}.items():
            # Drawn at random, 80 % of 2,000 would be off by more than this in two runs of three.
            assert counts[f"DO {name}"] == pytest.approx(dealt * weight / 100, abs=max(8, 0.004 * dealt))


@pytest.mark.slow
def test_a_second_interrupt_cuts_requests_off_and_counts_them(server: CountingServer, tmp_path: Path) -> None:
    hanging = """
        from locust import task
        from harness import HttpUser

        class Hanging(HttpUser):
            @task
            def hang(self):
                self.client.get("/slow/20000")
    """
    hurried: list[bool] = []

    def interrupt_twice(load: LoadProcesses, journal: Journal) -> None:
        if not hurried and journal.seconds and journal.seconds[-1].second >= 1:
            load.stop("interrupted")
            load.abort()
            hurried.append(True)

    plan = plan_of(scenario(tmp_path, hanging), [phase((5, 5, 30))], stop_timeout_s=30)
    journal = put_load(plan, server.url, tmp_path, interrupt_twice)
    assert journal.end_reason == "interrupted"
    assert requests_by_endpoint(journal) == server.served == {"GET /slow/20000": 5}
    assert {failure.failure.partition(":")[0] for failure in journal.failures} == {"interrupted"}


@pytest.mark.slow
def test_an_invalid_report_is_recorded_and_the_run_continues(server: CountingServer, tmp_path: Path) -> None:
    lying = (
        GETTER.replace("class Getter", "from locust import events\n\n    class Getter")
        + """
    @events.test_start.add_listener
    def say_what_no_worker_says(environment, **_):
        if hasattr(environment.runner, "client_id"):
            for message in (None, {"second": 0}, {"second": 0, "requests": {"open": b"many"}}):
                environment.runner.send_message("harness.second", message)
    """
    )
    journal = put_load(plan_of(scenario(tmp_path, lying), [phase((5, 5, 2))]), server.url, tmp_path)
    assert requests_by_endpoint(journal) == server.served
    assert [event.kind for event in journal.events] == ["report refused"]
    assert journal.end_reason == "done"

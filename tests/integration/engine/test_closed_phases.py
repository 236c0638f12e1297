"""A phase of the closed model has its own number of users, whatever ran before it."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from harness.control.load_processes import LoadProcesses
from harness.plan.model.phase import Phase
from harness.record.journal import Journal
from tests.support.counting_server import CountingServer
from tests.support.engine import phase, plan_of, put_load, scenario

SLOW = """
    from locust import FastHttpUser, constant, task

    class Slow(FastHttpUser):
        wait_time = constant(0.1)

        @task
        def get(self):
            self.client.get("/slow/200")
"""


def users_in(journal: Journal, number: int, offset_s: float) -> int:
    """How many users ran in the second that phase ``number`` had been running for ``offset_s``."""
    at_s = journal.phases[number].start_s + offset_s
    return next(second.users for second in journal.seconds if second.second == int(at_s))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("before", "then", "users"),
    [
        ([phase((4, 4, 1)), phase((100, 100, 1.5), model="open")], phase((4, 4, 3)), 4),
        ([phase((4, 4, 1)), phase((20, 20, 1), model="open")], phase((0, 5, 5), kind="ramp"), 2),
        ([phase((30, 30, 1.5))], phase((4, 8, 4), kind="ramp"), 6),
    ],
    ids=["as many as before the arrivals", "a ramp after arrivals", "a ramp from below"],
)
def test_a_closed_phase_has_its_users_whatever_ran_before(
    server: CountingServer, tmp_path: Path, before: list[Phase], then: Phase, users: int
) -> None:
    journal = put_load(plan_of(scenario(tmp_path, SLOW), [*before, then]), server.url, tmp_path)
    assert abs(users_in(journal, len(before), 2) - users) <= 2


@pytest.mark.slow
def test_the_others_have_all_users_if_a_worker_was_lost_during_arrivals(server: CountingServer, tmp_path: Path) -> None:
    killed: list[int] = []

    def kill(load: LoadProcesses, journal: Journal) -> None:
        if not killed and len(journal.phases) == 2:
            killed.append(load.pids()[-1])
            os.kill(killed[0], signal.SIGKILL)

    phases = [phase((4, 4, 1)), phase((10, 10, 2), model="open"), phase((4, 4, 3))]
    journal = put_load(plan_of(scenario(tmp_path, SLOW), phases, workers=2), server.url, tmp_path, kill)
    assert users_in(journal, 2, 2) == 4


@pytest.mark.slow
def test_a_second_lost_worker_is_replaced_too(server: CountingServer, tmp_path: Path) -> None:
    killed: list[int] = []

    def kill(load: LoadProcesses, journal: Journal) -> None:
        if len(journal.events) == len(killed) < 2 and len(journal.seconds) > 2 * len(killed):
            killed.append(load.pids()[-1])
            os.kill(killed[-1], signal.SIGKILL)

    plan = plan_of(scenario(tmp_path, SLOW), [phase((6, 6, 7))], workers=3)
    journal = put_load(plan, server.url, tmp_path, kill)
    assert users_in(journal, 0, 6) == 6

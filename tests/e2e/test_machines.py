"""One run on several machines: a master, two workers and a target, each with an address and a clock of its own."""

from __future__ import annotations

import shlex
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import accumulate
from pathlib import Path
from statistics import median

import pytest

from harness.record.journal import Journal, JournalFollower, read_journal
from tests.support.children import die_with_the_tests, wait_until
from tests.support.command import REPOSITORY, finish, wait_until_recorded
from tests.support.networks import Machine, Network, network

SECRET = "a secret of this test alone"
GONE_S = 30.0
"""A silent peer is noticed in 3 s, and a busy machine takes a while to end a process. TCP alone waits for minutes."""
SCENARIO = """
from locust import constant, task
from harness import HttpUser, steady
from place import where

class Visitor(HttpUser):
    wait_time = constant(0.05)

    @task
    def visit(self):
        self.client.get("/", name=where())

phases = [steady(users=6, hold="12s")]
"""
USERS = 6
PLACE = """
import os

def where():
    return os.environ.get("PLACE", "nowhere")
"""


class Field:
    """What a test starts on the machines; all of it ends with the test."""

    def __init__(self, folder: Path, net: Network) -> None:
        self.folder = folder
        self.cut_off = net.cut_off
        self.master, *self.workers, self.target = net.machines
        self.notes = folder / "notes"
        (folder / "scenario.py").write_text(SCENARIO)
        (folder / "place.py").write_text(PLACE)
        self._started: list[subprocess.Popen[str]] = []

    def run(self, hold: str, *, own_target: bool = False) -> subprocess.Popen[str]:
        """``harness run`` on the master's machine, waiting for all workers; ``own_target``: it starts the target."""
        if not own_target:
            noting = [sys.executable, "-m", "tests.support.noting_target", self.target.address, "8000"]
            self._start(self.target, noting, self.notes)
            wait_until(self.notes.exists, what="the target")
            host = ["--host", f"http://{self.target.address}:8000", "--allow-host", self.target.address]
        else:
            served = shlex.join([sys.executable, "-m", "http.server", "--bind", "0.0.0.0", "--directory", "{folder}"])
            host = ["--target", f"{served.format(folder=self.folder)} {{port}}", "--ready", "/"]
        joining = ["--bind", self.master.address, "--expect-workers", str(len(self.workers))]
        settings = [
            "--set",
            f"phase.steady.hold={hold}",
            "--set",
            "sampling.cpu=false",
            "--set",
            "sampling.memory=false",
        ]
        options = [*host, *joining, *settings, "--json", "--out", str(self.folder)]
        return self._harness(self.master, "run", str(self.folder / "scenario.py"), *options)

    def work(self) -> list[subprocess.Popen[str]]:
        """``harness worker`` on each of the workers' machines."""
        return [self._harness(machine, "worker", "--master", self.master.address) for machine in self.workers]

    def journal(self, seconds: int) -> JournalFollower:
        """The journal of the current run, once it has this many seconds."""
        return wait_until_recorded(self.folder, seconds)

    def served(self) -> dict[str, list[float]]:
        """By the client's address: when the target was asked."""
        times: dict[str, list[float]] = {}
        for line in self.notes.read_text().splitlines():
            at, client = line.split()
            times.setdefault(client, []).append(float(at))
        return times

    def _harness(self, machine: Machine, *words: str) -> subprocess.Popen[str]:
        return self._start(machine, [sys.executable, "-m", "harness", *words])

    def _start(self, machine: Machine, words: list[str], *more: Path) -> subprocess.Popen[str]:
        environment = {"HARNESS_SECRET": SECRET, "PLACE": machine.address, "PYTHONPATH": str(REPOSITORY)}
        with_environment = ["env", *(f"{name}={value}" for name, value in environment.items())]
        process = subprocess.Popen(
            machine.command(*with_environment, *words, *map(str, more)),
            cwd=self.folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            preexec_fn=die_with_the_tests,
        )
        self._started.append(process)
        return process

    def end(self) -> None:
        for process in self._started:
            with process:  # without waiting for whatever has its pipes
                process.kill()


@contextmanager
def field(folder: Path, clocks_s: list[int]) -> Iterator[Field]:
    """A master, a worker and more for each further clock but the last, and a target."""
    with network(clocks_s) as net:
        made = Field(folder, net)
        try:
            yield made
        finally:
            made.end()


@pytest.mark.slow
def test_a_lost_worker_is_reported_and_the_other_is_counted_to_the_last_request(tmp_path: Path) -> None:
    # The first worker's machine was started a day before the others, the second's a second.
    with field(tmp_path, [0, 86_400, 1, 0]) as on:
        run = on.run("12s")  # the lost worker's users are long with the other one before the end
        staying, leaving = on.work()
        following = on.journal(2)
        other, lost = on.workers
        on.cut_off(lost)
        cut_s = time.monotonic()
        assert finish(leaving).code == 4
        assert time.monotonic() - cut_s < GONE_S
        assert not lost.processes()
        stayed = finish(staying)
        result = finish(run)
        served = on.served()

    assert stayed.code == 0, stayed
    assert result.code == 4, result.err
    summary = result.json()
    assert "worker-lost" in [reason["code"] for reason in summary["verdict_reasons"]], summary["reasons"]
    following.poll()
    journal = following.journal
    recorded = by_place(journal)
    assert recorded[other.address] == len(served[other.address])
    # What the lost one had sent is kept; its users went to the other.
    assert 0 < recorded[lost.address] <= len(served[lost.address])
    assert journal.seconds[-2].users == USERS

    assert 0 < summary["generator"]["clock_ms"] < 50
    off = [abs(asked - ended) for asked, ended in by_second(journal, other.address, served[other.address])]
    # Some 20 requests a second of each of 3 to 6 users: a clock that is a second off is 60 requests off.
    assert median(off) <= 8, off


@pytest.mark.slow
def test_a_target_that_the_harness_starts_is_asked_by_all_and_when_the_master_is_cut_off_its_workers_end(
    tmp_path: Path,
) -> None:
    with field(tmp_path, [0, 0, 0]) as on:
        run = on.run("60s", own_target=True)
        (worker,) = on.work()
        seen = on.journal(2).journal
        on.cut_off(on.master)
        cut_s = time.monotonic()
        left = finish(worker)
        assert time.monotonic() - cut_s < GONE_S
        assert left.code == 4, left
        assert not on.workers[0].processes()
        result = finish(run)
    assert by_place(seen).total() > 0
    assert not seen.failures
    assert result.code == 4
    assert result.json()["verdict"] == "broken"
    assert read_journal(next(tmp_path.glob("*/journal"))).end_reason == "workers lost"


def by_place(journal: Journal) -> Counter[str]:
    """How many requests were recorded from each worker's machine, whose address is the requests' name."""
    counts: Counter[str] = Counter()
    for second in journal.seconds:
        for row in second.endpoint_seconds:
            counts[journal.endpoints[row.endpoint].name] += row.requests
    return counts


def by_second(journal: Journal, place: str, served: list[float]) -> list[tuple[int, int]]:
    """At the end of each second: what that machine had asked of the target by the wall clock, and what was recorded."""
    counts: Counter[int] = Counter()
    for second in journal.seconds:
        for row in second.endpoint_seconds:
            if journal.endpoints[row.endpoint].name == place:
                counts[second.second] += row.requests
    ends = range(max(counts) + 1)
    recorded = accumulate(counts[second] for second in ends)
    asked = [sum(at - journal.epoch_s < end + 1 for at in served) for end in ends]
    return list(zip(asked, recorded, strict=True))

"""Simulates many load workers in one process, with real runners that report every second.

Part of ``benchmarks/master.py``. Their requests are generated once with the real recorder, and each worker reports them
every second, so that they take little CPU time compared with the master.
"""

from __future__ import annotations

import json
import random
import resource
import sys
import time
from pathlib import Path
from typing import Any

import click
import gevent
import zmq.green as zmq
from gevent.event import AsyncResult, Event
from gevent.pool import Pool
from locust.env import Environment
from locust.event import Events

from harness.cluster import messages
from harness.cluster.secret import Keys, given_secret
from harness.engine.locust.options import parse_arguments
from harness.engine.locust.patches import spare_the_event_loop
from harness.engine.locust.runners import LoadWorkerRunner
from harness.engine.locust.secure_sockets import use_keys
from harness.engine.locust.stats import drop_stats
from harness.engine.phase_track import PhaseTrack
from harness.engine.recorder import Recorder
from harness.engine.reporter import REPORT_DELAY_S
from harness.engine.scenario.scenario_file import load_scenario
from harness.open_files import allow_many_files
from harness.record.journal_entries import WorkerSecond
from harness.record.second_table import SECOND, SecondTable

PATTERNS = 8
"""How many different seconds are generated."""
_MEDIAN_S, _SIGMA = 0.02, 0.5
"""Parameters of the log-normal response times."""
_JOIN_AT_ONCE = 32
_ROUNDS = 2
"""How often each worker reads the clock of the master."""


class SimulatedWorkers:
    """A number of workers, each with the same number of requests per second and endpoints."""

    def __init__(
        self, port: int, scenario: Path, first: int, workers: int, endpoints: int, requests: int, seed: int
    ) -> None:
        # One context, and so one I/O thread, for all. Locust creates one per socket.
        context = zmq.Context()
        context.set(zmq.MAX_SOCKETS, 8 * workers + 100)
        vars(zmq)["Context"] = lambda: context
        self._port = port
        self._user_classes = load_scenario([str(scenario)]).user_classes
        self._options = parse_arguments([], None)
        self._names = [[number, "GET", f"/endpoint/{number}"] for number in range(endpoints)]
        self._patterns = patterns(endpoints, requests, seed)
        self._indexes = range(first, first + workers)
        self.sent = 0
        """Requests reported so far."""
        self.behind_s = 0.0
        """The greatest delay of a report, which shows whether this process keeps up."""

    def run(self) -> None:
        """Join, and report until the end of the run."""
        gevent.joinall(list(Pool(_JOIN_AT_ONCE).imap_unordered(self._join, self._indexes)))

    def _join(self, index: int) -> gevent.Greenlet[..., None]:
        environment = Environment(
            user_classes=self._user_classes, events=Events(), parsed_options=self._options, host="http://127.0.0.1"
        )
        runner = environment._create_runner(LoadWorkerRunner, "127.0.0.1", self._port)
        drop_stats(environment)
        started: AsyncResult[float] = AsyncResult()
        finish = Event()
        runner.register_message(messages.BEGIN, lambda msg, **_: started.set(msg.data["began_s"]))
        runner.register_message(messages.PHASE, lambda **_: None)
        runner.register_message(messages.FINISH, lambda **_: finish.set())
        if not runner.align(_ROUNDS):
            sys.exit("the load master does not respond")
        joined = {"index": index, "host": "simulated", "clock_ms": (0.0, 0.0)}
        runner.send_message(messages.JOINED, joined)
        return gevent.spawn(self._report, runner, index, started, finish)

    def _report(self, runner: LoadWorkerRunner, index: int, started: AsyncResult[float], finish: Event) -> None:
        began_s = started.get()
        assert began_s is not None
        endpoints: list[list[Any]] = self._names
        second = 0
        while True:
            # The master is on the same machine, so it has the same monotonic clock.
            due_s = began_s + second + 1 + REPORT_DELAY_S
            if finish.wait(max(0.0, due_s - time.perf_counter())):
                break
            self.behind_s = max(self.behind_s, time.perf_counter() - due_s)
            self._send(runner, second, endpoints, *self._patterns[(index + second) % len(self._patterns)])
            endpoints = []
            second += 1
        runner.ending = True
        runner.user_greenlets.kill(block=False)
        runner.send_message(messages.FINISHED, {"dropped": 0, "errors": {}, "exit_code": None})

    def _send(
        self,
        runner: LoadWorkerRunner,
        second: int,
        endpoints: list[list[Any]],
        table: SecondTable,
        wire: dict[str, bytes],
    ) -> None:
        rows = table.rows.copy()
        rows[:, SECOND] = second
        requests = int(table.requests.sum())
        self.sent += requests
        users = len(runner.user_greenlets)
        state = WorkerSecond(0, users=users, cpu=0.5, lag_ms=1.0, iterations=requests, late=0, waiting=0)
        runner.send_message(
            messages.SECOND,
            {
                "second": second,
                "state": state,
                "lateness": SecondTable.empty().to_wire(),
                "endpoints": endpoints,
                "requests": {**wire, "rows": rows.tobytes()},
                "failures": [],
                "samples": [],
            },
        )


def patterns(endpoints: int, requests: int, seed: int) -> list[tuple[SecondTable, dict[str, bytes]]]:
    """Seconds from the recorder, with log-normal response times and one failed request in 200."""
    rng = random.Random(seed)
    made = []
    for _ in range(PATTERNS):
        recorder = Recorder(PhaseTrack(), {})
        started_s = time.perf_counter()
        for number in range(requests):
            took_s = rng.lognormvariate(0, _SIGMA) * _MEDIAN_S
            failure = "HTTP 500" if number % 200 == 199 else None
            recorder.record("GET", f"/endpoint/{number % endpoints}", started_s, started_s + took_s, 2000, failure)
        wire = recorder.take(None)[0]
        table = SecondTable.from_wire(wire)
        made.append((table, wire))
    return made


@click.command()
@click.option("--port", type=int, required=True)
@click.option("--scenario", type=click.Path(path_type=Path), required=True)
@click.option("--first", type=int, required=True, help="number of the first worker")
@click.option("--workers", type=int, required=True)
@click.option("--endpoints", type=int, required=True)
@click.option("--requests", type=int, required=True, help="per second and worker")
@click.option("--seed", type=int, required=True)
def main(**options: Any) -> None:
    """Simulate workers until the end of the run; the last line of standard output has what they sent."""
    allow_many_files()
    spare_the_event_loop()
    use_keys(Keys.derive(given_secret(None) or ""))
    workers = SimulatedWorkers(**options)
    workers.run()
    used = resource.getrusage(resource.RUSAGE_SELF)
    print(json.dumps({"sent": workers.sent, "behind_s": workers.behind_s, "cpu_s": used.ru_utime + used.ru_stime}))


if __name__ == "__main__":
    main()

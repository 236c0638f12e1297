"""Measures CPU, memory and delay of the load master with an increasing number of workers.

The real master process (ZeroMQ, Locust's runner, merging, the journal) has its own core. The workers are simulated
(``benchmarks/simulated_workers.py``), but join, spawn a user each and report like real ones: every second, all at the
same time, 50 endpoints and about 4,000 histogram buckets. What they sent is compared with what is in the journal.

    uv run python benchmarks/master.py                  # 1,000 workers, then more, until the master breaks
    uv run python benchmarks/master.py --workers 1000   # only 1,000
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import click
import psutil

from benchmarks.load import closed_phase, fork_server, plan_of
from benchmarks.output import run_command, show
from benchmarks.processes import start, two_cores, wait_until
from harness.cluster.secret import VARIABLE, key_material, new_secret
from harness.engine.fork_server import MASTER
from harness.open_files import allow_many_files
from harness.record.journal import JournalFollower

ENDPOINTS = 50
REQUESTS = 4_500
"""Requests per second and worker, which fall into about 4,000 different buckets."""
LEVELS = (1_000, 1_500, 2_000, 3_000, 4_000, 6_000, 8_000)
BROKEN_BEHIND_S = 2.0
"""A master whose latest second is older than this does not keep up."""
_CROWDS = 2
_JOIN_S = 120.0
_POLL_S = 0.1

_SCENARIO = """
from locust import User, constant, task


class Idle(User):
    wait_time = constant(3600)

    @task
    def nothing(self):
        pass
"""


@dataclass(frozen=True)
class Level:
    """One run. CPU use is in cores: 0.5 is half a core."""

    workers: int
    ramp_cpu: float
    cpu: float
    cpu_us: float
    """CPU time per report in the steady phase, which hardly depends on what else the machine does."""
    rss_bytes: int
    behind_s: float
    """The greatest delay from the end of a second until it was complete in the journal."""
    senders_behind_s: float
    """The greatest delay of a report. From about 0.5 s on, the simulated workers are the bottleneck."""
    sent: int
    recorded: int

    @property
    def broken(self) -> bool:
        return self.behind_s > BROKEN_BEHIND_S or self.recorded != self.sent


class _Master:
    """The process of the master, its journal and its resource use."""

    def __init__(self, folder: Path, workers: int, ramp_s: float, steady_s: float, core: int) -> None:
        scenario, self.journal = folder / "scenario.py", folder / "journal"
        scenario.write_text(_SCENARIO)
        phases = (closed_phase(workers, ramp_s, ramp=True, name="ramp"), closed_phase(workers, steady_s))
        plan = plan_of(phases, scenario, "http://127.0.0.1", workers).model_dump_json()
        self.scenario = scenario
        secret = new_secret()
        self.environment = {**os.environ, VARIABLE: secret}
        self.log = folder / "master.log"
        self._fork_server = fork_server(core)
        reader, writer = os.pipe()
        with self.log.open("w") as log:
            self.process = self._fork_server.start(
                MASTER,
                stdout=writer,
                stderr=log.fileno(),
                **{
                    "plan": plan,
                    "keys": key_material(secret).hex(),
                    "journal": str(self.journal),
                    "run_id": "benchmark",
                },
                **{"host": "127.0.0.1", "port": 0},
            )
        os.close(writer)
        self.process.stdin.write(b'{"target": "http://127.0.0.1", "left_out": [], "data": null, "feeders": []}\n')
        self._stdout = os.fdopen(reader)
        line = self._stdout.readline()
        if not line:
            raise click.ClickException(f"the load master did not start:\n{self.log.read_text()[-2000:]}")
        self.port = int(json.loads(line)["port"])
        self._usage = psutil.Process(self.process.pid)

    def end(self) -> None:
        self._fork_server.end_strays()
        self._stdout.close()

    @property
    def running(self) -> bool:
        return self.process.poll() is None

    def cpu_s(self) -> float:
        used = self._usage.cpu_times()
        return float(used.user + used.system)

    def rss_bytes(self) -> int:
        return int(self._usage.memory_info().rss)


def measure(workers: int, ramp_s: float, steady_s: float, endpoints: int, requests: int) -> Level:
    """Run once with this number of workers."""
    core, other = two_cores()
    with tempfile.TemporaryDirectory() as name:
        master = _Master(Path(name), workers, ramp_s, steady_s, core)
        senders = []
        try:
            count = min(_CROWDS, workers)
            for number in range(count):
                first, end = (workers * part // count for part in (number, number + 1))
                options = {
                    "port": master.port,
                    "scenario": master.scenario,
                    "first": first,
                    "workers": end - first,
                    "endpoints": endpoints,
                    "requests": requests,
                    "seed": number,
                }
                arguments = [text for key, value in options.items() for text in (f"--{key}", str(value))]
                senders.append(
                    start(
                        [sys.executable, "-m", "benchmarks.simulated_workers", *arguments],
                        other,
                        env=master.environment,
                        stdout=subprocess.PIPE,
                        stderr=(Path(name) / f"sender-{number}.log").open("w"),
                    )
                )
            return _follow(master, senders, workers)
        finally:
            for sender in senders:
                sender.kill()
                sender.wait()
            master.end()


def _follow(master: _Master, senders: list[subprocess.Popen[str]], workers: int) -> Level:
    """Watch the master from its first phase to its end."""
    follower = JournalFollower(master.journal)
    journal = follower.journal

    def phases() -> int:
        follower.poll()
        return len(journal.phases)

    def usage() -> tuple[float, float]:
        return time.perf_counter(), master.cpu_s()

    wait_until(lambda: phases() == 1, "the first phase", _JOIN_S)
    started = usage()
    wait_until(lambda: phases() == 2, "the second phase", _JOIN_S)
    steady = usage()
    rss, behind_s, ended = 0, 0.0, steady
    while master.running and journal.phases[1].end_s is None:
        follower.poll()
        whole = [second.second for second in journal.seconds[-20:] if len(second.workers) >= workers]
        behind_s = max(behind_s, time.time() - journal.epoch_s - (max(whole, default=-1) + 2))
        rss, ended = max(rss, master.rss_bytes()), usage()
        time.sleep(_POLL_S)
    reported = sum(len(second.workers) for second in journal.seconds if second.second >= journal.phases[1].start_s)
    results = [json.loads(sender.communicate(timeout=_JOIN_S)[0]) for sender in senders]
    master.process.wait(_JOIN_S)
    follower.poll()
    return Level(
        workers=workers,
        ramp_cpu=(steady[1] - started[1]) / (steady[0] - started[0]),
        cpu=(ended[1] - steady[1]) / (ended[0] - steady[0]),
        cpu_us=1e6 * (ended[1] - steady[1]) / max(reported, 1),
        rss_bytes=rss,
        behind_s=behind_s,
        senders_behind_s=max(sender["behind_s"] for sender in results),
        sent=sum(sender["sent"] for sender in results),
        recorded=sum(int(second.table.requests.sum()) for second in journal.seconds),
    )


def measure_levels(levels: tuple[int, ...], ramp_s: float, steady_s: float, endpoints: int, requests: int) -> None:
    """Run with each number of workers, until the master does not keep up."""
    allow_many_files()
    done: list[Level] = []
    for workers in levels:
        click.echo(f"{workers:,} workers", err=True)
        done.append(measure(workers, ramp_s, steady_s, endpoints, requests))
        if done[-1].broken:
            break
    rows = [
        [
            f"{level.workers:,}" + (" (broken)" if level.broken else ""),
            f"{level.ramp_cpu:.2f}",
            f"{level.cpu:.2f}",
            f"{level.cpu_us:,.0f} µs",
            f"{level.rss_bytes / 1e6:,.0f} MB",
            f"{level.behind_s:.2f} s",
            f"{level.senders_behind_s:.2f} s",
            f"{level.sent:,}",
            f"{level.recorded:,}",
        ]
        for level in done
    ]
    result: dict[str, Any] = {"benchmark": "master", "endpoints": endpoints, "requests": requests}
    result["levels"] = [{**asdict(level), "broken": level.broken} for level in done]
    result["breaks_at"] = done[-1].workers if done[-1].broken else None
    show(
        f"workers of {endpoints} endpoints and {requests:,} requests/s each; CPU in cores, over {steady_s:g} s",
        [
            "workers",
            "CPU, ramp",
            "CPU, steady",
            "a report",
            "RSS",
            "behind",
            "senders behind",
            "requests sent",
            "in the journal",
        ],
        rows,
        result,
    )


@click.command()
@click.option("--workers", type=click.IntRange(min=1), multiple=True, help="only this number; can be repeated")
@click.option("--seconds", default=10.0, show_default=True, type=click.FloatRange(min=1), help="of steady load")
@click.option("--short", is_flag=True, help="check in a few seconds that it works")
def main(workers: tuple[int, ...], seconds: float, short: bool) -> None:
    """Measure CPU, memory and delay of the load master by the number of workers."""
    if short:
        measure_levels(workers or (50,), ramp_s=1, steady_s=2, endpoints=5, requests=100)
    else:
        measure_levels(workers or LEVELS, ramp_s=5, steady_s=seconds, endpoints=ENDPOINTS, requests=REQUESTS)


if __name__ == "__main__":
    run_command(main)

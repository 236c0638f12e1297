"""What the load master costs: its CPU, its memory and how far it falls behind, with more and more workers.

The real master process (ZeroMQ, Locust's runner, merging, the journal) on a core of its own; the workers are simulated
by the dozen (``benchmarks/crowd.py``), but join, spawn a user each and report as real ones do: every second, all at the
same moment, 50 endpoints and some 4,000 histogram buckets. What they have sent stands beside what the journal holds.

    uv run python benchmarks/master.py                  # 1,000 workers, then more, until the master breaks
    uv run python benchmarks/master.py --workers 1000   # these only
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

from benchmarks.support import closed_phase, show, start, two_cores, wait_until
from harness.cluster.secret import VARIABLE, new_secret
from harness.engine.process_setup import TARGET_VARIABLE, allow_many_files
from harness.errors import HarnessError
from harness.plan.model import AttachedTarget, RunPlan, Sampling, Scenario
from harness.record.journal import JournalFollower

ENDPOINTS = 50
REQUESTS = 4_500
"""A second, of each worker: they fall into some 4,000 different buckets."""
LEVELS = (1_000, 1_500, 2_000, 3_000, 4_000, 6_000, 8_000)
BROKEN_BEHIND_S = 2.0
"""A master whose newest second is older than this does not keep up."""
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
    """One run. CPU is in seconds a second: 0.5 is half a core."""

    workers: int
    ramp_cpu: float
    cpu: float
    cpu_us: float
    """Of steady CPU time for each worker's second: a machine that is shared with others does not bend it."""
    rss_bytes: int
    behind_s: float
    """How long after its end the last whole second of the steady load was in the journal, at worst."""
    senders_behind_s: float
    """How much later than due a report was sent, at worst: from some 0.5 s on, the senders are the limit."""
    sent: int
    recorded: int

    @property
    def broken(self) -> bool:
        return self.behind_s > BROKEN_BEHIND_S or self.recorded != self.sent


class _Master:
    """The master's process, its journal, and what it uses."""

    def __init__(self, folder: Path, workers: int, ramp_s: float, steady_s: float, core: int) -> None:
        scenario, plan, self.journal = folder / "scenario.py", folder / "plan.json", folder / "journal"
        scenario.write_text(_SCENARIO)
        plan.write_text(
            RunPlan(
                scenario=Scenario(
                    path=str(scenario), name="idle", sha256="", user_classes=(), has_verify=False, has_shape=False
                ),
                profile="benchmark",
                phases=(
                    closed_phase(workers, ramp_s, ramp=True, name="ramp"),
                    closed_phase(workers, steady_s),
                ),
                gates=(),
                sampling=Sampling(cpu=None, memory=None),
                target=AttachedTarget(url="http://127.0.0.1"),
                workers=workers,
                seed=1,
            ).model_dump_json()
        )
        self.scenario = scenario
        self.environment = {**os.environ, VARIABLE: new_secret(), TARGET_VARIABLE: "http://127.0.0.1"}
        self.log = folder / "master.log"
        self.process = start(
            [
                *(sys.executable, "-m", "harness.quick_start", "harness.engine.master"),
                *("--plan", plan, "--journal", self.journal, "--run-id", "benchmark"),
                *("--bind", "127.0.0.1", "--port", "0", "--parent", str(os.getpid())),
            ],
            core,
            env=self.environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.log.open("w"),
        )
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            raise HarnessError("the load master did not start", hint=self.log.read_text()[-2000:])
        self.port = int(json.loads(line)["port"])
        self._usage = psutil.Process(self.process.pid)

    @property
    def running(self) -> bool:
        return self.process.poll() is None

    def cpu_s(self) -> float:
        used = self._usage.cpu_times()
        return float(used.user + used.system)

    def rss_bytes(self) -> int:
        return int(self._usage.memory_info().rss)


def measure(workers: int, ramp_s: float, steady_s: float, endpoints: int, requests: int) -> Level:
    """One run with so many workers."""
    core, other = two_cores()
    with tempfile.TemporaryDirectory() as name:
        master = _Master(Path(name), workers, ramp_s, steady_s, core)
        crowds = []
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
                given = [text for key, value in options.items() for text in (f"--{key}", str(value))]
                crowds.append(
                    start(
                        [sys.executable, "-m", "benchmarks.simulated_workers", *given],
                        other,
                        env=master.environment,
                        stdout=subprocess.PIPE,
                        stderr=(Path(name) / f"crowd-{number}.log").open("w"),
                    )
                )
            return _follow(master, crowds, workers)
        finally:
            for process in (*crowds, master.process):
                process.kill()
                process.wait()


def _follow(master: _Master, crowds: list[subprocess.Popen[str]], workers: int) -> Level:
    """Watch the master from its first phase to its end."""
    follower = JournalFollower(master.journal)
    journal = follower.journal

    def phases() -> int:
        follower.poll()
        return len(journal.phases)

    def usage() -> tuple[float, float]:
        return time.perf_counter(), master.cpu_s()

    wait_until(lambda: phases() == 1, "the first phase", _JOIN_S)
    begun = usage()
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
    told = [json.loads(crowd.communicate(timeout=_JOIN_S)[0]) for crowd in crowds]
    master.process.wait(_JOIN_S)
    follower.poll()
    return Level(
        workers=workers,
        ramp_cpu=(steady[1] - begun[1]) / (steady[0] - begun[0]),
        cpu=(ended[1] - steady[1]) / (ended[0] - steady[0]),
        cpu_us=1e6 * (ended[1] - steady[1]) / max(reported, 1),
        rss_bytes=rss,
        behind_s=behind_s,
        senders_behind_s=max(crowd["behind_s"] for crowd in told),
        sent=sum(crowd["sent"] for crowd in told),
        recorded=sum(int(second.table.requests.sum()) for second in journal.seconds),
    )


def measure_levels(levels: tuple[int, ...], ramp_s: float, steady_s: float, endpoints: int, requests: int) -> None:
    """Each number of workers, up to the first that the master cannot keep up with."""
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
@click.option("--workers", type=click.IntRange(min=1), multiple=True, help="so many, and no more")
@click.option("--seconds", default=10.0, show_default=True, type=click.FloatRange(min=1), help="of steady load")
@click.option("--short", is_flag=True, help="a few seconds: does it work?")
def main(workers: tuple[int, ...], seconds: float, short: bool) -> None:
    """CPU, memory and delay of the load master, by how many workers report to it."""
    if short:
        measure_levels(workers or (50,), ramp_s=1, steady_s=3, endpoints=5, requests=100)
    else:
        measure_levels(workers or LEVELS, ramp_s=5, steady_s=seconds, endpoints=ENDPOINTS, requests=REQUESTS)


if __name__ == "__main__":
    try:
        main()
    except HarnessError as error:
        sys.exit(f"error: {error}")

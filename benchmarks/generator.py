"""Measures the requests per second of load generators on one core, and their CPU time per request.

All of them put load on the same nginx with 32 users without wait times. The generator has one core and nginx another.
Each round measures all of them in turn, so that other work on the machine affects all alike. Rate and CPU time are
measured from outside over the same period: by the request counter of nginx, and by the kernel for the processes of the
generator. The requests that the generator recorded are compared with those that nginx served.

The harness runs as in ``harness run``, with master and worker processes that record, merge and journal every request;
both are on the generator's core and count towards its CPU time. Locust runs headless with its own statistics. wrk, hey
and k6 are included if they are installed.

    uv run python benchmarks/generator.py            # speed
    uv run python benchmarks/generator.py --memory   # memory per user, and growth under steady load
"""

from __future__ import annotations

import json
import math
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import click
import psutil

from benchmarks.memory import measure_memory
from benchmarks.support import HarnessLoad, Nginx, Spread, closed_phase, show, start, two_cores, wait_until
from harness.errors import HarnessError

USERS = 32
WARM_UP_S = 1.0
REST_S = 0.5
"""The load continues for this long after the measured period."""
END_S = 30.0
BASELINE = "locust FastHttpUser"

_SCENARIO = """
from {module} import {base}
from locust import task


class Getter({base}):
    @task
    def get(self):
        self.client.get("/")
"""
_K6_SCRIPT = """
import http from "k6/http";
export default function () {{ http.get("{url}/"); }}
"""


class Load(Protocol):
    """A running load generator."""

    def pids(self) -> list[int]:
        """The ids of its processes."""

    def running(self) -> bool: ...

    def finish(self) -> None:
        """Ask it to end after the measurement, unless it ends by itself."""

    def recorded(self) -> int:
        """How many requests it reports after its end."""

    def end(self) -> None:
        """Stop whatever is still running."""


class Program:
    """A load generator that is a separate program.

    ``count`` gets its output and returns its requests. ``end_signal`` ends a program that runs until it is stopped.
    """

    def __init__(
        self,
        command: list[str | Path],
        core: int,
        folder: Path,
        count: Callable[[str], int],
        end_signal: signal.Signals | None = None,
    ) -> None:
        self._end_signal = end_signal
        self._output = folder / "output"
        self._count = count
        with self._output.open("w") as output:
            self._process = start(command, core, stdout=output, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL)

    def pids(self) -> list[int]:
        return [self._process.pid]

    def running(self) -> bool:
        return self._process.poll() is None

    def finish(self) -> None:
        if self._end_signal is not None:
            self._process.send_signal(self._end_signal)

    def recorded(self) -> int:
        printed = self._output.read_text()
        try:
            return self._count(printed)
        except (ValueError, LookupError, OSError) as error:
            raise click.ClickException(
                f"the output of {self._process.args!r} has no number of requests:\n{printed[-2000:]}"
            ) from error

    def end(self) -> None:
        self._process.kill()
        self._process.wait()


def harness(folder: Path, url: str, seconds: int, core: int) -> Load:
    scenario = _scenario(folder, "harness", "HttpUser")
    return HarnessLoad(folder, scenario, [closed_phase(USERS, seconds)], url, core)


def locust_fast(folder: Path, url: str, _: int, core: int) -> Load:
    return _locust(folder, url, core, "FastHttpUser")


def locust_requests(folder: Path, url: str, _: int, core: int) -> Load:
    return _locust(folder, url, core, "HttpUser")


def _locust(folder: Path, url: str, core: int, base: str) -> Load:
    locustfile = _scenario(folder, "locust", base)
    figures = folder / "figures"
    command: list[str | Path] = [
        sys.executable,
        "-m",
        "locust",
        "-f",
        locustfile,
        "--headless",
        "--host",
        url,
        "--only-summary",
    ]
    command += ["-u", str(USERS), "-r", str(USERS), "--stop-timeout", "5", "--json-file", figures]

    def count(_: str) -> int:
        written: list[dict[str, int]] = json.loads(figures.with_suffix(".json").read_text())
        return sum(entry["num_requests"] for entry in written)

    # Locust's -t counts from before its users are created.
    return Program(command, core, folder, count, signal.SIGTERM)


def wrk(folder: Path, url: str, seconds: int, core: int) -> Load:
    command: list[str | Path] = ["wrk", "-t1", f"-c{USERS}", f"-d{seconds}s", url]
    return Program(command, core, folder, lambda printed: int(_find(r"(\d+) requests in", printed)))


def hey(folder: Path, url: str, seconds: int, core: int) -> Load:
    command: list[str | Path] = ["hey", "-c", str(USERS), "-cpus", "1", "-z", f"{seconds}s", url]
    return Program(command, core, folder, lambda printed: int(_find(r"\[200\]\s+(\d+) responses", printed)))


def k6(folder: Path, url: str, seconds: int, core: int) -> Load:
    script, figures = folder / "script.js", folder / "figures.json"
    script.write_text(_K6_SCRIPT.format(url=url))
    command: list[str | Path] = ["k6", "run", "--vus", str(USERS), "--duration", f"{seconds}s", "--quiet"]
    command += ["--summary-export", figures, script]
    return Program(
        command, core, folder, lambda _: int(json.loads(figures.read_text())["metrics"]["http_reqs"]["count"])
    )


def _scenario(folder: Path, module: str, base: str) -> Path:
    path = folder / "getter.py"
    path.write_text(_SCENARIO.format(module=module, base=base))
    return path


def _find(pattern: str, text: str) -> str:
    match = re.search(pattern, text)
    if match is None:
        raise ValueError(f"no {pattern!r}")
    return match[1]


GENERATORS = {
    "harness.HttpUser": harness,
    BASELINE: locust_fast,
    "locust HttpUser": locust_requests,
    "wrk": wrk,
    "hey": hey,
    "k6": k6,
}
PROGRAMS = ("wrk", "hey", "k6")
"""Measured only if they are installed."""


@dataclass(frozen=True)
class Round:
    """One generator in one round."""

    requests_s: float
    cpu_us: float
    """CPU time of the generator per request."""
    recorded: int
    served: int


def measure(
    load: Callable[[Path, str, int, int], Load], nginx: Nginx, warm_up_s: float, seconds: float, core: int
) -> Round:
    """Run one generator and measure it for ``seconds`` after its warm-up."""
    with tempfile.TemporaryDirectory() as folder:
        before = nginx.requests()
        running = load(Path(folder), nginx.url, math.ceil(warm_up_s + seconds + REST_S), core)
        try:
            wait_until(lambda: nginx.requests() > before, "the first request", END_S)
            time.sleep(warm_up_s)
            pids = running.pids()
            started_s, started_cpu_s, started = time.perf_counter(), _cpu_s(pids), nginx.requests()
            time.sleep(seconds)
            ended_s, ended_cpu_s, ended = time.perf_counter(), _cpu_s(pids), nginx.requests()
            running.finish()
            wait_until(lambda: not running.running(), "the end of the load", END_S)
        finally:
            running.end()
        sent = ended - started
        if not sent:
            raise click.ClickException(f"the load generator sent no request in {seconds:g} s")
        return Round(
            requests_s=sent / (ended_s - started_s),
            cpu_us=(ended_cpu_s - started_cpu_s) / sent * 1e6,
            recorded=running.recorded(),
            served=nginx.requests() - before,
        )


def _cpu_s(pids: list[int]) -> float:
    times = [psutil.Process(pid).cpu_times() for pid in pids]
    return sum(time_.user + time_.system for time_ in times)


def measure_speed(rounds: int, seconds: float, warm_up_s: float = WARM_UP_S) -> None:
    """Measure all installed generators side by side; print a table and a JSON line."""
    generator_core, server_core = two_cores()
    present = {name: load for name, load in GENERATORS.items() if name not in PROGRAMS or shutil.which(name)}
    done: dict[str, list[Round]] = {name: [] for name in present}
    with tempfile.TemporaryDirectory() as folder, Nginx(Path(folder), server_core) as nginx:
        for number in range(rounds):
            for name, load in present.items():
                click.echo(f"round {number + 1} of {rounds}: {name}", err=True)
                done[name].append(measure(load, nginx, warm_up_s, seconds, generator_core))

    rows, result = [], {}
    for name, own_rounds in done.items():
        rate, cpu = Spread.of(r.requests_s for r in own_rounds), Spread.of(r.cpu_us for r in own_rounds)
        # Ratios are within a round, because other work on the machine slows both alike.
        ratio = Spread.of(
            mine.requests_s / baseline.requests_s for mine, baseline in zip(own_rounds, done[BASELINE], strict=True)
        )
        # CPU time does not depend on how the core is shared.
        ratio_of_cpu = Spread.of(
            baseline.cpu_us / mine.cpu_us for mine, baseline in zip(own_rounds, done[BASELINE], strict=True)
        )
        recorded, served = sum(r.recorded for r in own_rounds), sum(r.served for r in own_rounds)
        figures = [rate.text(), ratio.text(2), cpu.text(1), ratio_of_cpu.text(2), f"{recorded:,}", f"{served:,}"]
        rows.append([name, *figures])
        result[name] = {
            "requests_s": rate,
            "ratio": ratio,
            "cpu_us": cpu,
            "ratio_of_cpu": ratio_of_cpu,
            "recorded": recorded,
            "served": served,
        }
    show(
        f"{USERS} users without wait times, one core; median (least–greatest) of {rounds} rounds of {seconds:g} s",
        ["generator", "requests/s", "× FastHttpUser", "CPU µs/request", "× FastHttpUser", "recorded", "served"],
        rows,
        {"benchmark": "generator", "rounds": rounds, "seconds": seconds, "generators": result},
    )


@click.command()
@click.option("--rounds", default=5, show_default=True, type=click.IntRange(min=1))
@click.option("--seconds", default=4.0, show_default=True, type=click.FloatRange(min=0.1), help="measured per round")
@click.option("--memory", is_flag=True, help="measure memory instead of speed")
@click.option("--users", default=10_000, show_default=True, type=click.IntRange(min=1), help="idle, with --memory")
@click.option("--minutes", default=1.0, show_default=True, help="length of the steady load, with --memory")
@click.option("--short", is_flag=True, help="check in a few seconds that it works")
def main(rounds: int, seconds: float, memory: bool, users: int, minutes: float, short: bool) -> None:
    """Measure the speed of load generators side by side, or the memory of the harness."""
    if memory and short:
        measure_memory(users=100, seconds=1.0)
    elif memory:
        measure_memory(users, minutes * 60)
    elif short:
        measure_speed(rounds=1, seconds=0.4, warm_up_s=0.1)
    else:
        measure_speed(rounds, seconds)


if __name__ == "__main__":
    try:
        main()
    except HarnessError as error:
        sys.exit(f"error: {error}")

"""Starts load generators on one core and measures them by the kernel and by nginx's counter."""

from __future__ import annotations

import json
import math
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import click

from benchmarks.load import HarnessLoad
from benchmarks.nginx import Nginx
from benchmarks.processes import start, wait_until
from harness.plan.model.phase import Phase
from harness.sampling.tree_clock import cpu_clock_s

WARM_UP_S = 1.0
REST_S = 0.5
"""The load continues for this long after the measured period."""
END_S = 30.0

_SCENARIO = """
from {module} import {base}
from locust import task


class Getter({base}):
    @task
    def get(self):
        self.client.get("{path}")
"""
_K6_SCRIPT = """
import http from "k6/http";
export default function () {{ http.get("{url}/"); }}
"""


class Load(Protocol):
    """A running load generator."""

    def pids(self) -> list[int]:
        """The ids of its processes; the last one sends the requests."""

    def running(self) -> bool: ...

    def finish(self) -> None:
        """Ask it to end after the measurement, unless it ends by itself."""

    def recorded(self) -> int:
        """How many requests it reports after its end."""

    def end(self) -> None:
        """Stop whatever is still running."""


Starter = Callable[[Path, str, int, int], Load]
"""Starts a load generator: with a folder for its files, a URL, a duration in seconds, and a core."""


class Program:
    """A load generator that is a separate program.

    ``count`` gets its output and returns its requests. ``end_signal`` ends a program that runs until it is stopped.
    """

    def __init__(
        self,
        command: Sequence[str | Path],
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


def harness(phase: Callable[[int], Phase], master_core: int | None = None) -> Starter:
    """The harness with one worker; ``phase`` gets the seconds."""

    def start_harness(folder: Path, url: str, seconds: int, core: int) -> HarnessLoad:
        return HarnessLoad(folder, getter(folder), [phase(seconds)], url, core, master_core=master_core)

    return start_harness


def locust(base: str, users: int) -> Starter:
    """Locust without workers; ``base`` is one of its user classes."""

    def start_locust(folder: Path, url: str, _: int, core: int) -> Load:
        figures = folder / "figures"
        command: list[str | Path] = [
            *(sys.executable, "-m", "locust", "-f", getter(folder, "locust", base), "--headless", "--host", url),
            *("--only-summary", "-u", str(users), "-r", str(users), "--stop-timeout", "5", "--json-file", figures),
        ]

        def count(_: str) -> int:
            written: list[dict[str, int]] = json.loads(figures.with_suffix(".json").read_text())
            return sum(entry["num_requests"] for entry in written)

        # Locust's -t counts from before its users are created.
        return Program(command, core, folder, count, signal.SIGTERM)

    return start_locust


def wrk(users: int) -> Starter:
    def start_wrk(folder: Path, url: str, seconds: int, core: int) -> Load:
        return Program(["wrk", "-t1", f"-c{users}", f"-d{seconds}s", url], core, folder, _count(r"(\d+) requests in"))

    return start_wrk


def hey(users: int, rate: float | None = None) -> Starter:
    """At most ``rate`` requests per second, by default as many as possible."""

    def start_hey(folder: Path, url: str, seconds: int, core: int) -> Load:
        paced = [] if rate is None else ["-q", str(rate / users)]
        command = ["hey", "-c", str(users), *paced, "-cpus", "1", "-z", f"{seconds}s", url]
        return Program(command, core, folder, _count(r"\[200\]\s+(\d+) responses"))

    return start_hey


def k6(users: int) -> Starter:
    def start_k6(folder: Path, url: str, seconds: int, core: int) -> Load:
        script, figures = folder / "script.js", folder / "figures.json"
        script.write_text(_K6_SCRIPT.format(url=url))
        command: list[str | Path] = [
            *("k6", "run", "--vus", str(users), "--duration", f"{seconds}s", "--quiet"),
            *("--summary-export", figures, script),
        ]

        def count(_: str) -> int:
            return int(json.loads(figures.read_text())["metrics"]["http_reqs"]["count"])

        return Program(command, core, folder, count)

    return start_k6


def getter(folder: Path, module: str = "harness", base: str = "HttpUser", *, path: str = "/") -> Path:
    """A scenario whose users get ``path`` without wait times."""
    file = folder / "getter.py"
    file.write_text(_SCENARIO.format(module=module, base=base, path=path))
    return file


def _count(pattern: str) -> Callable[[str], int]:
    def count(printed: str) -> int:
        match = re.search(pattern, printed)
        if match is None:
            raise ValueError(f"no {pattern!r}")
        return int(match[1])

    return count


@dataclass(frozen=True)
class Round:
    """One load generator in one round."""

    requests_s: float
    cpu_us: float
    """CPU time of all its processes per request."""
    sender_us: float
    """CPU time of the process that sends the requests, per request."""
    recorded: int
    served: int
    load: Load
    """The load generator, which has ended."""


def measure(start_load: Starter, nginx: Nginx, folder: Path, warm_up_s: float, seconds: float, core: int) -> Round:
    """Run a load generator, with ``folder`` for its files, and measure it for ``seconds`` after its warm-up."""
    before = nginx.requests()
    load = start_load(folder, nginx.url, math.ceil(warm_up_s + seconds + REST_S), core)
    try:
        wait_until(lambda: nginx.requests() > before, "the first request", END_S)
        time.sleep(warm_up_s)
        pids = load.pids()
        started_s, started_cpu_s, started = time.perf_counter(), [cpu_clock_s(pid) for pid in pids], nginx.requests()
        time.sleep(seconds)
        ended_s, ended_cpu_s, ended = time.perf_counter(), [cpu_clock_s(pid) for pid in pids], nginx.requests()
        load.finish()
        wait_until(lambda: not load.running(), "the end of the load", END_S)
    finally:
        load.end()
    sent = ended - started
    if not sent:
        raise click.ClickException(f"the load generator sent no request in {seconds:g} s")
    used_us = [(after - before) / sent * 1e6 for before, after in zip(started_cpu_s, ended_cpu_s, strict=True)]
    return Round(
        requests_s=sent / (ended_s - started_s),
        cpu_us=sum(used_us),
        sender_us=used_us[-1],
        recorded=load.recorded(),
        served=nginx.requests() - before,
        load=load,
    )

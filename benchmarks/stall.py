"""The stall test: what each load generator reports of a server that freezes, and what is true.

The expected percentiles are those of an ideal client that takes no time itself. They are computed from the server's own
measurements: the start and end of each freeze, and how long it takes for a request.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import click
import numpy as np

from benchmarks.load import open_phase
from benchmarks.processes import start
from benchmarks.reference import END_S, Floats, Freezes, ServerRecord, harness_load, quantile_of, serving
from harness.record.histogram import Histogram

LOCUST_USERS = 50
K6_USERS = 3000
WRK2_CONNECTIONS = 1000

GET_NOW = """
from harness import HttpUser
from locust import task


class Getter(HttpUser):
    @task
    def get(self):
        self.client.get("/now")
"""
_LOCUSTFILE = """
from locust import FastHttpUser, constant_throughput, task


class Getter(FastHttpUser):
    wait_time = constant_throughput({rate} / {users})

    @task
    def get(self):
        self.client.get("/now")
"""
_K6_SCRIPT = """
import http from "k6/http";
export const options = {{ scenarios: {{ arrivals: {{
  executor: "constant-arrival-rate", rate: {rate}, timeUnit: "1s", duration: "{seconds}s",
  preAllocatedVUs: {users}, maxVUs: {users} }} }} }};
export default function () {{ http.get("{url}/now"); }}
"""


@dataclass(frozen=True)
class StallResult:
    """Percentiles in ms that a load generator reports of the freezing server, and the expected ones."""

    p95: float
    p99: float
    expected_p95: float
    expected_p99: float
    recorded: int
    served: int
    dropped: int
    own_p99: float | None = None
    """Only for the harness: lateness that it caused itself."""


def simulated_waits(arrivals_s: Floats, freezes_s: Floats, cost_s: float) -> Floats:
    """The response time of each of ``arrivals_s`` (ascending) at a server that freezes in ``freezes_s`` (start, end).

    By Lindley's recursion (Lindley 1952), a request starts when it has arrived and the one before has ended, or at the
    end of the freeze that this falls into. It takes ``cost_s``.
    """
    ends_s = np.empty(len(arrivals_s))
    free_s, at, count = -np.inf, 0, len(freezes_s)
    for number, arrival_s in enumerate(arrivals_s.tolist()):
        before_s = max(arrival_s, free_s)
        while at < count and freezes_s[at, 1] <= before_s:
            at += 1
        if at < count and freezes_s[at, 0] <= before_s:
            before_s = float(freezes_s[at, 1])
        ends_s[number] = free_s = before_s + cost_s
    return ends_s - arrivals_s


def expected_percentiles(record: ServerRecord, rate: float, seconds: float) -> tuple[float, float]:
    """P95 and P99 (ms) of evenly spaced arrivals that start with the first request the server received."""
    arrivals_s = np.arange(round(rate * seconds), dtype=np.float64) / rate + record.first_s
    waits_s = simulated_waits(arrivals_s, record.freezes, record.cost_s)
    return quantile_of(waits_s, 0.95) * 1000, quantile_of(waits_s, 0.99) * 1000


def stall_of_harness(
    rate: float, seconds: float, max_users: int, freezes: Freezes, cores: tuple[int, int]
) -> StallResult:
    """Run the open model of the harness against the freezing server."""
    with serving(cores[1], freezes) as (folder, server):
        load = harness_load(folder, server.url, [open_phase(rate, seconds, max_users)], GET_NOW, cores[0])
        journal = load.journal()
        record = server.end()
    response = Histogram.merged([row.response for second in journal.seconds for row in second.endpoint_seconds])
    own = Histogram.merged([part.own for second in journal.seconds for part in second.lateness])
    return StallResult(
        response.quantile_us(0.95) / 1000,
        response.quantile_us(0.99) / 1000,
        *expected_percentiles(record, rate, seconds),
        recorded=response.count,
        served=record.served,
        dropped=round(rate * seconds) - response.count,
        own_p99=own.quantile_us(0.99) / 1000,
    )


def stall_of_locust(rate: float, seconds: float, freezes: Freezes, cores: tuple[int, int]) -> StallResult:
    """Run Locust's FastHttpUser in the closed model, each user paced to its share of the rate."""
    with serving(cores[1], freezes) as (folder, server):
        path, figures = folder / "getter.py", folder / "figures"
        path.write_text(_LOCUSTFILE.format(rate=rate, users=LOCUST_USERS))
        command: list[str | Path] = [sys.executable, "-m", "locust", "-f", path, "--headless", "--only-summary"]
        command += ["--host", server.url, "-u", str(LOCUST_USERS), "-r", str(LOCUST_USERS), "-t", f"{seconds:g}s"]
        command += ["--stop-timeout", "5", "--json-file", figures]
        _run(command, folder, cores[0], seconds)
        record = server.end()
        (entry,) = json.loads(figures.with_suffix(".json").read_text())
    times = {float(ms): count for ms, count in entry["response_times"].items()}
    values = np.repeat(np.array(sorted(times)), [times[ms] for ms in sorted(times)])
    p95, p99 = quantile_of(values, 0.95), quantile_of(values, 0.99)
    recorded = int(entry["num_requests"])
    dropped = max(0, round(rate * seconds) - recorded)
    expected = expected_percentiles(record, rate, seconds)
    return StallResult(p95, p99, *expected, recorded=recorded, served=record.served, dropped=dropped)


def stall_of_k6(rate: float, seconds: float, freezes: Freezes, cores: tuple[int, int]) -> StallResult:
    """Run k6 with a constant arrival rate and :data:`K6_USERS`."""
    with serving(cores[1], freezes) as (folder, server):
        script, figures = folder / "script.js", folder / "figures.json"
        script.write_text(_K6_SCRIPT.format(rate=round(rate), seconds=round(seconds), users=K6_USERS, url=server.url))
        command: list[str | Path] = ["k6", "run", "--quiet", "--summary-trend-stats", "p(95),p(99)"]
        command += ["--summary-export", figures, script]
        _run(command, folder, cores[0], seconds)
        record = server.end()
        metrics = json.loads(figures.read_text())["metrics"]
    times = metrics["http_req_duration"]
    dropped = int(metrics.get("dropped_iterations", {}).get("count", 0))
    recorded = int(metrics["http_reqs"]["count"])
    expected = expected_percentiles(record, rate, seconds)
    return StallResult(
        times["p(95)"], times["p(99)"], *expected, recorded=recorded, served=record.served, dropped=dropped
    )


def stall_of_wrk2(rate: float, seconds: float, freezes: Freezes, cores: tuple[int, int]) -> StallResult:
    """Run wrk2, which made this error known. Its figures exclude the first 10 s, in which it calibrates."""
    with serving(cores[1], freezes) as (folder, server):
        command: list[str | Path] = ["wrk2", "-t1", f"-c{WRK2_CONNECTIONS}", f"-d{round(seconds)}s"]
        command += [f"-R{round(rate)}", "--latency", f"{server.url}/now"]
        _run(command, folder, cores[0], seconds)
        record = server.end()
        printed = (folder / "output").read_text()
    p95, p99, recorded = wrk2_figures(printed)
    dropped = max(0, round(rate * seconds) - recorded)
    expected = expected_percentiles(record, rate, seconds)
    return StallResult(p95, p99, *expected, recorded=recorded, served=record.served, dropped=dropped)


def wrk2_figures(printed: str) -> tuple[float, float, int]:
    """P95, P99 (ms) and requests from the output of ``wrk2 --latency``, whose lines start with value and quantile."""
    spectrum = [(float(q), float(ms)) for ms, q in re.findall(r"^ +([\d.]+) +([01]\.\d{6}) +\d+ +", printed, re.M)]
    requests = re.search(r"(\d+) requests in", printed)
    if not spectrum or requests is None:
        raise click.ClickException(f"the output of wrk2 has no results:\n{printed[-2000:]}")
    quantiles, values_ms = zip(*spectrum, strict=True)
    p95, p99 = np.interp([0.95, 0.99], quantiles, values_ms)
    return float(p95), float(p99), int(requests[1])


def _run(command: list[str | Path], folder: Path, core: int, seconds: float) -> None:
    """Run a program to its end; its output goes to a file."""
    with (folder / "output").open("w") as output:
        process = start(command, core, stdout=output, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL)
        try:
            process.wait(seconds + END_S)
        finally:
            process.kill()
            process.wait()

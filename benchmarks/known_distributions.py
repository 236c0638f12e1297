"""Compares the percentiles that the harness records with those that the server has measured."""

from __future__ import annotations

from dataclasses import dataclass

from benchmarks.load import closed_phase, open_phase
from benchmarks.reference import harness_load, quantile_of, serving
from benchmarks.stall import GET_NOW
from harness.plan.model.phase import Segment
from harness.record.histogram import Histogram

QUANTILES = {"P50": 0.5, "P90": 0.9, "P95": 0.95, "P99": 0.99, "P99.9": 0.999}
WITHIN_SHARE, WITHIN_US = 0.01, 100.0
KINDS = ("service", "response")
PEAK_USERS = 32
MAX_USERS = 5000

_LOCUSTFILE = """
import time
from harness import HttpUser
from locust import task

began_s = []


class Getter(HttpUser):
    @task
    def get(self):
        now_s = time.monotonic()
        if not began_s:
            began_s.append(now_s)
        self.client.get("/{path}" if now_s - began_s[0] > {unmeasured_s} else "/{path}/ramp")
"""


@dataclass(frozen=True)
class DistributionResult:
    """Percentiles (µs) of one distribution at one rate, as measured by the server and as recorded by the harness."""

    server_us: dict[str, float]
    recorded_us: dict[str, dict[str, float]]
    """By kind of time; see :data:`KINDS`."""
    recorded: int
    served: int
    cpu: float
    """CPU use of the worker in its busiest second."""


def peak_rate(seconds: float, cores: tuple[int, int]) -> float:
    """Requests per second of one worker in the closed model, from a server that responds at once."""
    with serving(cores[1]) as (folder, server):
        journal = harness_load(folder, server.url, [closed_phase(PEAK_USERS, seconds)], GET_NOW, cores[0]).journal()
        server.end()
    span = journal.phases[0]
    count = sum(row.requests for second in journal.seconds for row in second.endpoint_seconds)
    return count / ((span.end_s or span.start_s) - span.start_s)


def measure_distribution(
    distribution: str, rate: float, seconds: float, ramp_s: float, settle_s: float, cores: tuple[int, int]
) -> DistributionResult:
    """Run the open model of the harness against a server whose service times have this distribution.

    The rate rises for ``ramp_s`` and stays for ``settle_s`` before anything is compared, because users are created and
    connect in that time.
    """
    ramp = Segment(start=0, end=rate, duration_s=ramp_s)
    held = open_phase(rate, settle_s + seconds, MAX_USERS)
    phase = held.model_copy(update={"segments": (ramp, *held.segments)})
    with serving(cores[1]) as (folder, server):
        locustfile = _LOCUSTFILE.format(path=distribution, unmeasured_s=ramp_s + settle_s)
        journal = harness_load(folder, server.url, [phase], locustfile, cores[0]).journal()
        record = server.end()
    every = [
        row
        for second in journal.seconds
        for row in second.endpoint_seconds
        if journal.endpoints[row.endpoint].name == f"/{distribution}"
    ]
    response = Histogram.merged([row.response for row in every])
    service = Histogram.merged([row.service for row in every])
    measured_us = record.service_s[distribution] * 1e6
    return DistributionResult(
        server_us={name: quantile_of(measured_us, q) for name, q in QUANTILES.items()},
        recorded_us={
            kind: {name: histogram.quantile_us(q) for name, q in QUANTILES.items()}
            for kind, histogram in zip(KINDS, (service, response), strict=True)
        },
        recorded=response.count,
        served=len(measured_us),
        cpu=max(worker.cpu for second in journal.seconds for worker in second.workers),
    )

"""Live metrics of a run for Prometheus (``--metrics-port``), added up from the journal.

Response times are counted in a few buckets whose bounds are edges of the recorded buckets
(:mod:`harness.record.histogram`), so counts and sums are exact. Each second is added once; text is made per scrape.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import numpy as np
from prometheus_client import CollectorRegistry, start_http_server
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from harness.cluster.listen_address import split_address
from harness.control.observer import RunObserver
from harness.errors import HarnessError
from harness.messages import Message, Option
from harness.plan.hosts import join_address
from harness.plan.model.run import RunPlan
from harness.record import second_table as columns
from harness.record.histogram import Ints, buckets_of
from harness.record.journal import Journal
from harness.record.journal_entries import Endpoint, Second
from harness.record.run_folder import RunFolder
from harness.record.second_table import KINDS, RESPONSE

_LOOPBACK = "127.0.0.1"

BOUNDS_US = (
    *(100, 200, 500, 1_000, 1_500, 2_000, 3_000),
    *(int(base * 2**power) for power in range(14) for base in (5_000, 7_500)),
)
"""Upper bounds in µs from 0.1 ms to 61 s, each the lowest value of a recorded bucket: 5 and 7.5 ms, doubled again and
again, are multiples of the buckets' widths; 100 ms would not be."""
_EDGES = buckets_of(np.array(BOUNDS_US))
_BOUNDS = [*(f"{bound / 1e6:g}" for bound in BOUNDS_US), "+Inf"]

MOST_SERIES = 1_000
"""How many pairs of phase and endpoint get series of their own; a scrape of that many has some 40,000 lines."""
_OTHERS = -1
_OTHER_ENDPOINTS = Endpoint("", "(other endpoints)")
"""All that came later, together."""


@dataclass(slots=True)
class _Sums:
    """Sums of one phase and endpoint; ``buckets`` (one more than bounds) are not cumulative yet."""

    requests: int = 0
    failures: int = 0
    response_sum_us: int = 0
    buckets: Ints = field(default_factory=lambda: np.zeros(len(BOUNDS_US) + 1, dtype=np.int64))


class RunMetrics(Collector):
    """Observes a run as a :class:`~harness.control.observer.RunObserver`, and is Prometheus's collector of its sums.

    The controller's thread adds while the server's threads read.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._labels: dict[str, str] | None = None
        self._phases: list[str] = []
        self._phase: int | None = None
        self._endpoints = {_OTHERS: _OTHER_ENDPOINTS}
        self._sums: dict[tuple[int, int], _Sums] = {}
        self._users = 0
        self._rate = 0
        self._iterations = 0
        self._seen = 0

    def notify(self, message: Message) -> None:
        """Messages hold no figures."""

    def load_begins(self, plan: RunPlan, folder: RunFolder, target: str) -> None:  # noqa: ARG002  (a RunObserver)
        with self._lock:
            self._labels = {"run_id": folder.run_id, "scenario": plan.scenario.name, "profile": plan.profile}
            self._phases = [phase.name for phase in plan.phases]

    def update(self, journal: Journal) -> None:
        with self._lock:
            self._phase = next((span.phase for span in journal.phases[-1:] if span.end_s is None), None)
            if self._seen == len(journal.arrived):
                return
            for second in journal.arrived[self._seen :]:
                self._add(second)
            self._seen = len(journal.arrived)
            self._endpoints.update(journal.endpoints)
            # The last second may have several parts, as workers report late.
            latest = journal.seconds[-1]
            self._users = latest.users
            self._rate = sum(worker.iterations for worker in latest.workers)

    def load_ended(self) -> None:
        with self._lock:
            self._phase, self._users, self._rate = None, 0, 0

    def _add(self, second: Second) -> None:
        self._iterations += sum(worker.iterations for worker in second.workers)
        table = second.table
        histograms = np.repeat(np.arange(len(table) * KINDS), table.sizes.ravel())
        ours = histograms % KINDS == RESPONSE
        counted = np.zeros((len(table), len(BOUNDS_US) + 1), dtype=np.int64)
        below = np.searchsorted(_EDGES, table.buckets[ours].astype(np.int64), side="right")
        np.add.at(counted, (histograms[ours] // KINDS, below), table.counts[ours])
        for figures, buckets in zip(table.rows.tolist(), counted, strict=True):
            key = (figures[columns.PHASE], figures[columns.ENDPOINT])
            if len(self._sums) >= MOST_SERIES and key not in self._sums:
                key = (figures[columns.PHASE], _OTHERS)
            sums = self._sums.setdefault(key, _Sums())
            sums.requests += figures[columns.REQUESTS]
            sums.failures += figures[columns.FAILURES]
            sums.response_sum_us += figures[columns.SUMS_US + RESPONSE]
            sums.buckets += buckets

    def collect(self) -> Iterable[Metric]:
        """All metrics as of now; none before the load begins."""
        with self._lock:
            return [] if self._labels is None else self._families(self._labels)

    def _families(self, run: dict[str, str]) -> list[Metric]:
        by = ["phase", "method", "name"]
        info = GaugeMetricFamily("harness_run_info", "The current run; always 1.", labels=list(run))
        info.add_metric(list(run.values()), 1)
        phase = GaugeMetricFamily("harness_phase", "1 for the current phase, else 0.", labels=["phase"])
        for number, name in enumerate(self._phases):
            phase.add_metric([name], float(number == self._phase))
        requests = CounterMetricFamily("harness_requests", "Finished requests.", labels=by)
        failures = CounterMetricFamily("harness_failures", "Failed requests.", labels=by)
        response = HistogramMetricFamily(
            "harness_response_seconds", "Response time, from the intended send.", labels=by
        )
        for (number, endpoint), sums in self._sums.items():
            labels = [self._phases[number], self._endpoints[endpoint].method, self._endpoints[endpoint].name]
            requests.add_metric(labels, sums.requests)
            failures.add_metric(labels, sums.failures)
            buckets = list(zip(_BOUNDS, np.cumsum(sums.buckets).astype(float).tolist(), strict=True))
            response.add_metric(labels, buckets, sum_value=sums.response_sum_us / 1e6)
        return [
            info,
            phase,
            GaugeMetricFamily("harness_users", "Users in the last recorded second.", value=self._users),
            GaugeMetricFamily("harness_arrival_rate", "Iterations started in that second.", value=self._rate),
            CounterMetricFamily("harness_iterations", "Iterations started.", value=self._iterations),
            requests,
            failures,
            response,
        ]


@contextmanager
def serve_metrics(address: str) -> Iterator[tuple[RunObserver, str]]:
    """Serve metrics at ``PORT`` on loopback, or at ``ADDR:PORT``: yields the observer of the run and the URL to scrape.

    Raises :class:`HarnessError` if this machine does not have the address, or its port is in use.
    """
    local = f"{_LOOPBACK}:{address}" if address.isdigit() else address
    host, port = split_address(local, "metrics_port", default=None)
    metrics = RunMetrics()
    registry = CollectorRegistry()
    registry.register(metrics)
    try:
        server, thread = start_http_server(port, host, registry)
    except OSError as error:
        raise HarnessError(
            "metrics-address-unusable",
            where=Option("metrics_port"),
            address=join_address(host, port),
            reason=error.strerror,
        ) from error
    try:
        yield metrics, f"http://{join_address(host, port)}/metrics"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()

"""What Prometheus scrapes: the sums of the recorded seconds, exact in every bucket, and where it may be asked for."""

from __future__ import annotations

import socket
import urllib.request

import numpy as np
import pytest
from prometheus_client import CollectorRegistry, Metric, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from harness.control import metrics as module
from harness.control.metrics import BOUNDS_US, RunMetrics, serve_metrics
from harness.control.observer import RunObservers
from harness.errors import HarnessError
from harness.messages import message
from harness.plan.model.run import RunPlan
from harness.record.histogram import Histogram, buckets_of, lowest_of
from harness.record.journal import Journal, read_journal
from harness.record.run_folder import RunFolder
from tests.support.children import free_port
from tests.support.errors import harness_error
from tests.support.plans import ramp, steady
from tests.support.recordings import Failing, record_run

Samples = dict[tuple[str, tuple[tuple[str, str], ...]], float]


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    phases = [ramp(users=20, seconds=3), steady(users=20, seconds=6)]
    return record_run(
        tmp_path_factory.mktemp("run"), phases=phases, failures=[Failing(0.2, "HTTP 500", "POST /checkout")], workers=2
    )


def of(folder: RunFolder) -> RunMetrics:
    """Metrics of a run that is about to begin."""
    metrics = RunMetrics()
    metrics.load_begins(RunPlan.model_validate_json(folder.plan.read_text()), folder, "the shop")
    return metrics


def scraped(metrics: RunMetrics) -> Samples:
    """By name and labels, as Prometheus reads them."""
    registry = CollectorRegistry()
    registry.register(metrics)
    return samples(generate_latest(registry).decode())


def samples(text: str) -> Samples:
    families: list[Metric] = list(text_string_to_metric_families(text))
    return {(one.name, tuple(sorted(one.labels.items()))): one.value for family in families for one in family.samples}


def test_counts_sums_and_buckets_are_those_of_the_recorded_histograms(recorded: RunFolder) -> None:
    journal, metrics = read_journal(recorded.journal), of(recorded)
    metrics.update(journal)
    reported = scraped(metrics)

    names = ["ramp", "steady"]
    for number, phase in enumerate(names):
        for key, endpoint in journal.endpoints.items():
            rows = [
                one for s in journal.seconds for one in s.endpoint_seconds if (one.phase, one.endpoint) == (number, key)
            ]
            labels = {"phase": phase, "method": endpoint.method, "name": endpoint.name}
            at = tuple(sorted(labels.items()))
            assert reported["harness_requests_total", at] == sum(row.requests for row in rows) > 0
            assert reported["harness_failures_total", at] == sum(row.failures for row in rows)
            whole = Histogram.merged([row.response for row in rows])
            assert reported["harness_response_seconds_sum", at] == whole.sum_us / 1e6
            assert reported["harness_response_seconds_count", at] == whole.count
            for bound in BOUNDS_US:
                below = int(whole.counts[lowest_of(whole.indices) < bound].sum())
                le = tuple(sorted({**labels, "le": f"{bound / 1e6}"}.items()))
                assert reported["harness_response_seconds_bucket", le] == below
    assert reported["harness_users", ()] == journal.seconds[-1].users
    iterations = [sum(worker.iterations for worker in second.workers) for second in journal.seconds]
    assert reported["harness_iterations_total", ()] == sum(iterations)
    assert reported["harness_arrival_rate", ()] == iterations[-1]


def test_every_bound_is_an_edge_of_recorded_buckets() -> None:
    """A recorded bucket never lies on both sides of one."""
    bounds = np.array(BOUNDS_US)
    assert list(BOUNDS_US) == sorted(BOUNDS_US)
    assert (lowest_of(buckets_of(bounds)) == bounds).all()


def test_what_came_since_is_added_once(recorded: RunFolder) -> None:
    whole, at_once, one_by_one = read_journal(recorded.journal), of(recorded), of(recorded)
    at_once.update(whole)
    growing = Journal(run_id=whole.run_id, endpoints=whole.endpoints, phases=whole.phases)
    for second in whole.arrived:
        growing.arrived.append(second)
        growing.seconds.append(second)
        one_by_one.update(growing)
        one_by_one.update(growing)
    assert scraped(one_by_one) == scraped(at_once)


def test_several_observers_get_the_same_calls(recorded: RunFolder) -> None:
    one, other, journal = RunMetrics(), RunMetrics(), read_journal(recorded.journal)
    both = RunObservers(one, other)
    both.notify(message("note", text="a line"))
    both.load_begins(RunPlan.model_validate_json(recorded.plan.read_text()), recorded, "the shop")
    both.update(journal)
    assert scraped(one) == scraped(other) != {}
    both.load_ended()
    assert scraped(one)["harness_users", ()] == scraped(other)["harness_users", ()] == 0


def test_it_shows_which_phase_runs_and_when_none_does(recorded: RunFolder) -> None:
    metrics = of(recorded)
    assert scraped(metrics)["harness_phase", (("phase", "ramp"),)] == 0
    running = read_journal(recorded.journal)
    running.phases[1:] = []
    running.phases[0] = type(running.phases[0])(0, 0.0, None, None, None, (0.0,))
    metrics.update(running)
    assert scraped(metrics)["harness_phase", (("phase", "ramp"),)] == 1
    metrics.load_ended()
    reported = scraped(metrics)
    assert reported["harness_phase", (("phase", "ramp"),)] == reported["harness_users", ()] == 0


def test_more_endpoints_than_a_scrape_can_hold_are_summed(recorded: RunFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_SERIES", 2)
    metrics, journal = of(recorded), read_journal(recorded.journal)
    metrics.update(journal)
    reported = {labels: value for (name, labels), value in scraped(metrics).items() if name == "harness_requests_total"}
    assert {dict(labels)["name"] for labels in list(reported)[2:]} == {"(other endpoints)"}
    assert sum(reported.values()) == sum(one.requests for second in journal.seconds for one in second.endpoint_seconds)


def test_it_is_asked_on_loopback_unless_another_address_is_given() -> None:
    port = free_port()
    with serve_metrics(str(port)) as (_, url):
        assert url == f"http://127.0.0.1:{port}/metrics"
        with urllib.request.urlopen(url) as reply:
            assert reply.status == 200
            assert reply.headers["Content-Type"].startswith("text/plain")
        with pytest.raises(HarnessError) as raised:
            serve_metrics(f"127.0.0.1:{port}").__enter__()
        assert (raised.value.code, raised.value.params["address"]) == ("metrics-address-unusable", f"127.0.0.1:{port}")
    with serve_metrics(f"[::1]:{port}") as (_, url), urllib.request.urlopen(url) as reply:
        assert reply.status == 200
    with socket.socket() as again:
        again.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        again.bind(("127.0.0.1", port))  # nobody listens any more


@pytest.mark.parametrize("text", ["0", "65536", "", "127.0.0.1", "a:b", "http://127.0.0.1:9646"])
def test_an_invalid_port_is_rejected(text: str) -> None:
    with harness_error("address-without-port") as refused:
        serve_metrics(text).__enter__()
    assert refused.value.where == "--metrics-port"


def test_there_are_no_metrics_before_there_is_a_run() -> None:
    assert scraped(RunMetrics()) == {}

"""Sources of metrics during a load: those that respond are recorded, and none delays the run's end."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import pairwise
from pathlib import Path

import psycopg
import pytest

from harness.plan.model.sampling import MetricsSource, Sampling
from harness.plan.model.target import AttachedTarget
from harness.record.database_statements import STATEMENT_TOTALS
from harness.record.metric_readings import METRIC_READINGS
from harness.record.run_folder import RunFolder
from harness.sampling.session import SamplingSession
from harness.targets.start import start_target
from tests.support.children import free_port, wait_until
from tests.support.exporter import exporter
from tests.support.plans import steady
from tests.support.postgresql import PostgreSQL
from tests.support.small_disk import empty, fill, small_disk
from tests.support.targets import run_folder


def source(name: str, url: str, *series: str) -> MetricsSource:
    return MetricsSource(name=name, kind="prometheus", url=url, series=series)


def sampled(folder: RunFolder, url: str, sources: list[MetricsSource], until: Callable[[], bool]) -> list[str]:
    """Sample until that is so; the codes of what was noted."""
    settings = Sampling(cpu=None, memory=None, metrics=tuple(sources))
    with (
        start_target(AttachedTarget(url=url), folder) as target,
        SamplingSession([], settings, [("", target)], folder, list, cores=2) as session,
    ):
        wait_until(until)
    return [note.code for note in session.index.notes if note.code != "target-pid-unknown"]


@pytest.mark.slow
def test_sources_are_recorded_each_second_beside_one_that_hangs_and_one_that_is_not_there(tmp_path: Path) -> None:
    folder = run_folder(tmp_path)
    with exporter(port := free_port()), socket.create_server(("127.0.0.1", 0)) as silent:
        sources = [
            source("app", "/metrics", "pool_in_use", "orders_total"),
            source("silent", f"http://127.0.0.1:{silent.getsockname()[1]}/metrics", "x"),
            source("gone", f"http://127.0.0.1:{free_port()}/metrics", "x"),
        ]
        codes = sampled(
            folder, f"http://127.0.0.1:{port}", sources, lambda: len(METRIC_READINGS.read(folder.metrics)) > 3
        )
    assert codes.count("metrics-source-failed") == 2
    readings = METRIC_READINGS.read(folder.metrics)
    assert {reading.source for reading in readings} == {"app"}
    assert all(reading.gauges == {"pool_in_use": 4} for reading in readings)
    totals = [reading.counters["orders_total"] for reading in readings]
    assert totals == sorted(totals)
    gaps = [after.epoch_s - before.epoch_s for before, after in pairwise(readings)]
    assert sum(gaps) / len(gaps) > 0.5  # one after a late one comes early


@pytest.mark.slow
def test_a_server_that_dies_in_the_run_costs_only_its_metrics(tmp_path: Path) -> None:
    folder = run_folder(tmp_path)
    with exporter(port := free_port()) as process:

        def died_and_was_asked_again() -> bool:
            if not METRIC_READINGS.read(folder.metrics):
                return False
            process.kill()
            process.wait()
            time.sleep(3)
            return True

        codes = sampled(folder, f"http://127.0.0.1:{port}", [source("app", "/metrics", "x")], died_and_was_asked_again)
    assert codes == ["metrics-source-failed", "series-not-offered"]
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("metrics ")]


@contextmanager
def counted_page() -> Iterator[tuple[str, list[str]]]:
    """The URL of a server with a page whose readings take 7 kB, and the paths of what was requested so far."""
    requested: list[str] = []

    class Page(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            requested.append(self.path)
            self.send_response(200)
            self.send_header("Content-Type", "text/plain")
            self.end_headers()
            self.wfile.write("".join(f"x_{number:040} 1\n" for number in range(150)).encode())

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Page) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}", requested
        finally:
            server.shutdown()
            thread.join()


@pytest.mark.slow
def test_readings_go_on_once_the_disk_has_room_again(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", "4m") as disk, counted_page() as (url, requested):
        folder = run_folder(disk)

        def went_on() -> bool:
            recorded = len(METRIC_READINGS.read(folder.metrics))
            if not recorded:
                return False
            fill(disk)
            before = len(requested)
            wait_until(lambda: len(requested) > before + 2)
            empty(disk)
            return wait_until(lambda: len(METRIC_READINGS.read(folder.metrics)) > recorded + 1)

        codes = sampled(folder, url, [source("app", "/metrics", "x_*")], went_on)
    assert codes == ["metrics-source-failed"]


def test_statements_of_a_database_are_counted_before_and_after_a_phase(tmp_path: Path, postgresql: PostgreSQL) -> None:
    folder, url = run_folder(tmp_path), postgresql.new_database()
    settings = Sampling(cpu=None, memory=None, metrics=(MetricsSource(name="db", kind="postgresql", url=url),))
    with psycopg.connect(url, autocommit=True) as client:
        client.execute("CREATE EXTENSION pg_stat_statements")
        with (
            start_target(AttachedTarget(url=f"http://127.0.0.1:{postgresql.port}"), folder) as target,
            SamplingSession([steady()], settings, [("", target)], folder, list, cores=2) as session,
        ):
            session.phase_started(0)
            assert wait_until(lambda: len(STATEMENT_TOTALS.read(folder.statements)) == 1)
            client.execute("SELECT generate_series(1, 5)")
            session.phase_ended(0)
    before, after = STATEMENT_TOTALS.read(folder.statements)
    assert [(one.source, one.phase, one.ended) for one in (before, after)] == [("db", 0, False), ("db", 0, True)]
    assert "SELECT generate_series($1, $2)" not in before.statements
    assert after.statements["SELECT generate_series($1, $2)"][0] == 1

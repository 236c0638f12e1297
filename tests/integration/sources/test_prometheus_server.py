"""Reading pages of real servers: prometheus_client's in a separate process, and some that have no metrics."""

from __future__ import annotations

import threading
import time
from base64 import b64decode
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from harness.errors import HarnessError
from harness.messages import Message
from harness.sources.prometheus import MOST_BYTES, PrometheusSource
from harness.sources.source import TIMEOUT_S
from tests.support.children import free_port, wait_until
from tests.support.exporter import exporter


@contextmanager
def server(answer: Callable[[BaseHTTPRequestHandler], None]) -> Iterator[str]:
    """A server whose every page is what ``answer`` writes."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            answer(self)

        def log_message(self, format: str, *arguments: object) -> None:
            """Quiet."""

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, request: object, client_address: object) -> None:
            """Clients that hang up are what some tests are about."""

    made = Server(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=made.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{made.server_address[1]}/metrics"
    finally:
        made.shutdown()
        made.server_close()
        thread.join()


def page(handler: BaseHTTPRequestHandler, body: bytes, kind: str = "text/plain", status: int = 200) -> None:
    handler.send_response(status)
    handler.send_header("Content-Type", kind)
    handler.send_header("Content-Length", str(len(body)))
    handler.end_headers()
    handler.wfile.write(body)


def failure_of(url: str) -> HarnessError:
    source = PrometheusSource(url, ["pool_in_use"])
    with pytest.raises(HarnessError) as raised:
        source.read()
    source.close()
    return raised.value


def test_an_exporter_is_read_again_and_again() -> None:
    with exporter(port := free_port()):
        source = PrometheusSource(f"http://127.0.0.1:{port}", ["pool_in_use", "took_seconds", "orders_total", "order"])
        first = source.read()
        assert first.gauges == {"pool_in_use": 4}
        assert (first.counters["took_seconds_sum"], first.counters["took_seconds_count"]) == (0.5, 1)
        before = first.counters["orders_total"]
        assert wait_until(lambda: source.read().counters["orders_total"] > before)
        (missing,) = source.missing()
        assert (missing.code, missing.params["series"]) == ("series-not-offered", "order")
        source.close()


def test_a_server_that_starts_again_is_read_again() -> None:
    port = free_port()
    source = PrometheusSource(f"http://127.0.0.1:{port}/metrics", ["pool_in_use"])
    with pytest.raises(HarnessError) as raised:
        source.read()
    assert raised.value.code == "metrics-unreachable"
    for _ in range(2):
        with exporter(port):
            assert source.read().gauges == {"pool_in_use": 4}
        with pytest.raises(HarnessError):
            source.read()
    source.close()


@pytest.mark.parametrize(
    ("totals", "codes"),
    [
        ([5, 900, 6, 901, 7, 902, 8], ["counters-fall"]),  # two processes in turn
        ([900, 901, 5, 6, 7, 8, 9], []),  # one that was started again
    ],
)
def test_counters_of_processes_in_turn_are_noted(totals: list[int], codes: list[str]) -> None:
    left = iter(totals)
    with server(lambda handler: page(handler, f"orders_total {next(left)}\n".encode())) as url:
        source = PrometheusSource(url, ["orders_total"])
        for total in totals:
            assert source.read().counters == {"orders_total": total}
        assert [note.code for note in source.missing()] == codes
        source.close()


@pytest.mark.parametrize(
    ("series", "why"), [("pool_size", "series-not-a-number"), ('orders_total{kind="web"}', "series-other-labels")]
)
def test_why_a_series_of_the_page_has_no_value_is_noted(series: str, why: str) -> None:
    with server(lambda handler: page(handler, b"pool_size NaN\norders_total 1\n")) as url:
        source = PrometheusSource(url, [series])
        source.read()
        (note,) = source.missing()
        source.close()
    assert note.code == "series-not-offered"
    assert isinstance(alternatives := note.params["alternatives"], Message)
    assert alternatives.code == why


def test_another_status_is_a_failure() -> None:
    with server(lambda handler: page(handler, b"not here", status=404)) as url:
        error = failure_of(url)
    assert (error.code, error.params["status"]) == ("metrics-refused", 404)


def test_a_page_for_people_is_a_failure() -> None:
    with server(lambda handler: page(handler, b"pool_in_use 3", "text/html")) as url:
        assert failure_of(url).code == "metrics-not-prometheus"


def test_a_page_of_50_mb_is_not_read_to_its_end() -> None:
    sent = 0

    def endless(handler: BaseHTTPRequestHandler) -> None:
        nonlocal sent
        handler.send_response(200)
        handler.send_header("Content-Length", str(50_000_000))
        handler.end_headers()
        for _ in range(500):
            sent += handler.wfile.write(b"pool_in_use 1\n" * 7143)

    with server(endless) as url:
        error = failure_of(url)
    assert (error.code, error.params["most"]) == ("metrics-page-too-large", MOST_BYTES)
    assert sent < 50_000_000


@pytest.mark.parametrize("silent", [True, False])
def test_a_server_that_answers_in_drops_or_not_at_all_is_given_up(silent: bool) -> None:
    ended = threading.Event()

    def slow(handler: BaseHTTPRequestHandler) -> None:
        if not silent:
            handler.send_response(200)
            handler.send_header("Content-Length", "1000")
            handler.end_headers()
        while not ended.wait(0.1):
            if not silent:
                handler.wfile.write(b"#")

    with server(slow) as url:
        began_s = time.monotonic()
        error = failure_of(url)
        took_s = time.monotonic() - began_s
        ended.set()
    assert error.code == "metrics-unreachable"
    assert took_s < 5 * TIMEOUT_S


def test_credentials_of_the_address_are_sent_and_never_shown() -> None:
    seen: list[str] = []

    def guarded(handler: BaseHTTPRequestHandler) -> None:
        seen.append(handler.headers["Authorization"])
        page(handler, b"", status=401)

    with server(guarded) as url:
        error = failure_of(url.replace("//", "//scraper:p%40ss@"))
    assert b64decode(seen[0].removeprefix("Basic ")) == b"scraper:p@ss"
    assert (error.code, error.params["status"]) == ("metrics-refused", 401)
    assert "p%40ss" not in str(error)
    assert "p@ss" not in str(error)

"""A process with metrics of prometheus_client: a gauge, a histogram, and a growing counter."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from tests.support.children import dying_with_the_tests, stop

EXPORTER = """
import sys, time
from prometheus_client import Counter, Gauge, Histogram, start_http_server

Gauge("pool_in_use", "").set(4)
Histogram("took_seconds", "").observe(0.5)
orders = Counter("orders", "", ["kind"]).labels("web")
start_http_server(int(sys.argv[1]), addr="127.0.0.1")
print("ready", flush=True)
while True:
    orders.inc(1)
    time.sleep(0.01)
"""


@contextmanager
def exporter(port: int) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        dying_with_the_tests([sys.executable, "-c", EXPORTER, str(port)]),
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        with process.stdout as output:
            assert output.readline() == "ready\n"
            yield process
    finally:
        stop(process)

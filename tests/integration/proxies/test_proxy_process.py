"""The process that holds proxies: who may give it orders, and how it ends."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from contextlib import ExitStack, suppress
from pathlib import Path

import psutil
import pytest

from harness.proxies.conditions import CLEAR, Conditions
from harness.proxies.control import OwnProxy
from harness.proxies.process import ProxyProcess
from tests.integration.proxies.peers import LARGE, Peer, pair, read, round_trip_s
from tests.support.children import wait_until
from tests.support.errors import harness_error
from tests.support.faults import suspend
from tests.support.targets import runs


def test_nothing_that_hangs_on_a_connection_keeps_the_proxies_from_ending(upstream: Peer) -> None:
    began_s = None
    with ExitStack() as opened:
        with ProxyProcess(Path(os.devnull)) as process:
            proxy = process.add("p", ("127.0.0.1", 0), upstream.address)
            (half, _), (_, never_ending), (_, dripping) = (
                opened.enter_context(pair(proxy, upstream)) for _ in range(3)
            )
            half.shutdown(socket.SHUT_WR)
            never_ending.setblocking(False)
            with suppress(BlockingIOError):
                while True:
                    never_ending.send(LARGE)
            dripping.send(b"x")
            proxy.meet(Conditions(latency_s=60))
            dripping.send(b"y")
            began_s = time.monotonic()
        assert time.monotonic() - began_s < 8  # else it is killed, after 10 s


def test_a_port_in_use_is_reported(process: ProxyProcess, upstream: Peer) -> None:
    with harness_error("proxy-failed"):
        process.add("second", upstream.address, upstream.address)


def test_orders_without_the_secret_are_rejected(proxy: OwnProxy, upstream: Peer) -> None:
    stranger = proxy.model_copy(update={"secret": "guessed"})
    with harness_error("proxy-gone"):
        stranger.meet(Conditions(refuse=True))
    with pair(proxy, upstream) as (client, server):
        round_trip_s(client, server)


STARTER = """
import os
import sys
from pathlib import Path
from harness.proxies.process import ProxyProcess
from harness.proxies.conditions import Conditions
process = ProxyProcess(Path(os.devnull))
proxy = process.add("p", ("127.0.0.1", 0), ("127.0.0.1", int(sys.argv[1])))
proxy.meet(Conditions(blackhole=True))
print(proxy.port, process.pid, flush=True)
sys.stdin.read()
"""


def test_when_the_harness_is_killed_it_forwards_again_and_ends_with_its_last_connection(upstream: Peer) -> None:
    starter = subprocess.Popen(
        [sys.executable, "-c", STARTER, str(upstream.address[1])],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert starter.stdin is not None
    assert starter.stdout is not None
    with starter:
        port, pid = map(int, starter.stdout.readline().split())
        with socket.create_connection(("127.0.0.1", port), timeout=20) as client:
            client.sendall(b"held")
            os.kill(starter.pid, signal.SIGKILL)
            with upstream.accept() as server:
                assert read(server, 4) == b"held"
    wait_until(lambda: not runs(pid), what="the end of the proxies")


def test_an_ended_proxy_is_reported_and_needs_no_undoing(upstream: Peer) -> None:
    with ProxyProcess(Path(os.devnull)) as process:
        proxy = process.add("p", ("127.0.0.1", 0), upstream.address)
        os.kill(process.pid, signal.SIGKILL)
        wait_until(lambda: not process.is_alive(), what="its end")
        with harness_error("proxy-gone"):
            proxy.meet(CLEAR)
        proxy.clear()


@pytest.mark.slow
def test_a_proxy_that_hangs_is_not_undone(proxy: OwnProxy, process: ProxyProcess) -> None:
    """It is not known whether it will carry out the order."""
    suspend(psutil.Process(process.pid))
    try:
        with harness_error("proxy-hangs"):
            proxy.clear()
    finally:
        process.wake()

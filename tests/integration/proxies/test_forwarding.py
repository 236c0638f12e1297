"""A proxy without conditions: what a connection carries, and how it ends."""

from __future__ import annotations

import resource
import socket
import struct
import threading
import time
from contextlib import ExitStack, suppress

import psutil
import pytest

from harness.proxies.conditions import CLEAR, Conditions
from harness.proxies.control import OwnProxy
from harness.proxies.process import ProxyProcess
from tests.integration.proxies.peers import LARGE, Peer, connect, is_reset, pair, read, round_trip_s
from tests.support.children import free_port


def test_large_bodies_arrive_whole_in_both_directions_at_once(proxy: OwnProxy, upstream: Peer) -> None:
    with pair(proxy, upstream) as (client, server):
        received: list[bytes] = []
        threads = [
            threading.Thread(target=client.sendall, args=(LARGE,)),
            threading.Thread(target=server.sendall, args=(LARGE[::-1],)),
            threading.Thread(target=lambda: received.append(read(client, len(LARGE)))),
        ]
        for thread in threads:
            thread.start()
        assert read(server, len(LARGE)) == LARGE
        for thread in threads:
            thread.join()
        assert received == [LARGE[::-1]]


def test_a_half_closed_connection_still_answers(proxy: OwnProxy, upstream: Peer) -> None:
    with pair(proxy, upstream) as (client, server):
        client.sendall(b"all")
        client.shutdown(socket.SHUT_WR)
        assert read(server, 100) == b"all"
        server.sendall(b"still here")
        server.close()
        assert read(client, 100) == b"still here"


def test_what_drips_arrives_byte_by_byte(proxy: OwnProxy, upstream: Peer) -> None:
    with pair(proxy, upstream) as (client, server):
        for byte in range(20):
            server.send(bytes([byte]))
            assert client.recv(100) == bytes([byte])
        server.close()
        assert client.recv(100) == b""


def test_a_reader_that_waits_makes_the_sender_wait(proxy: OwnProxy, upstream: Peer) -> None:
    with pair(proxy, upstream) as (client, server):
        client.setblocking(False)
        sent = 0
        idle_since_s = time.monotonic()
        while time.monotonic() - idle_since_s < 0.5:
            with suppress(BlockingIOError):
                sent += client.send(LARGE[:65536])
                idle_since_s = time.monotonic()
            assert sent < 200 << 20
        client.setblocking(True)
        client.shutdown(socket.SHUT_WR)
        assert len(read(server, 1 << 30)) == sent


@pytest.mark.slow
@pytest.mark.parametrize(
    "conditions",
    [CLEAR, Conditions(latency_s=0.05), Conditions(bytes_per_s=1e6), Conditions(loss=0.01), Conditions(blackhole=True)],
    ids=["clear", "latency", "bandwidth", "loss", "blackhole"],
)
def test_a_client_that_never_reads_costs_little_memory(
    conditions: Conditions, process: ProxyProcess, proxy: OwnProxy, upstream: Peer
) -> None:
    with pair(proxy, upstream) as (client, server):
        round_trip_s(client, server)
        proxy.meet(conditions)
        holder, sent = psutil.Process(process.pid), 0
        before = holder.memory_info().rss
        idle_since_s = time.monotonic()
        while sent < 100 << 20 and time.monotonic() - idle_since_s < 2:
            try:
                server.settimeout(0.1)
                sent += server.send(LARGE[: 1 << 20])
                idle_since_s = time.monotonic()
            except TimeoutError:
                continue
        assert holder.memory_info().rss - before < 32 << 20
        assert sent < 100 << 20, "it is made to wait"


@pytest.mark.parametrize("of_client", [True, False])
def test_a_reset_of_one_side_reaches_the_other(proxy: OwnProxy, upstream: Peer, of_client: bool) -> None:
    with pair(proxy, upstream) as (client, server):
        assert round_trip_s(client, server) < 10
        resetting, other = (client, server) if of_client else (server, client)
        resetting.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        resetting.close()
        assert is_reset(other)


def test_a_thousand_connections_are_open_at_once(proxy: OwnProxy, upstream: Peer) -> None:
    soft, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    try:
        with ExitStack() as opened:
            clients = [opened.enter_context(connect(proxy)) for _ in range(1000)]
            for number, client in enumerate(clients):
                client.sendall(b"%4d" % number)
            servers = [opened.enter_context(upstream.accept()) for _ in clients]
            assert sorted(read(server, 4) for server in servers) == [b"%4d" % number for number in range(1000)]
            for server in servers:
                server.sendall(b"yes")
            assert {read(client, 3) for client in clients} == {b"yes"}
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, most))


@pytest.mark.slow
def test_an_upstream_that_refuses_resets_the_client(process: ProxyProcess) -> None:
    proxy = process.add("nobody", ("127.0.0.1", 0), ("127.0.0.1", free_port()))
    with pytest.raises(ConnectionResetError), connect(proxy) as client:
        read(client, 1)

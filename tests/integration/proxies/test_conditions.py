"""What each condition does to real connections."""

from __future__ import annotations

import socket
import threading
import time
from contextlib import ExitStack

import pytest

from harness.proxies.conditions import CLEAR, Conditions
from harness.proxies.control import OwnProxy
from tests.integration.proxies.peers import LARGE, Peer, arrives, connect, is_dead, is_reset, pair, read, round_trip_s
from tests.support.children import wait_until


def test_latency_delays_what_the_upstream_sends(proxy: OwnProxy, upstream: Peer) -> None:
    with pair(proxy, upstream) as (client, server):
        before_s = min(round_trip_s(client, server) for _ in range(5))
        proxy.meet(Conditions(latency_s=0.4, jitter_s=0.1))
        late_s = [round_trip_s(client, server) for _ in range(5)]
        proxy.clear()
        after_s = min(round_trip_s(client, server) for _ in range(5))
    assert all(seconds >= 0.3 for seconds in late_s)
    assert max(late_s) - min(late_s) > 0.01
    assert before_s < 0.3
    assert after_s < 0.3


def test_a_large_late_answer_keeps_its_order_and_its_end(proxy: OwnProxy, upstream: Peer) -> None:
    proxy.meet(Conditions(latency_s=0.05, jitter_s=0.05, loss=0.05))
    with pair(proxy, upstream) as (client, server):

        def send() -> None:
            server.sendall(LARGE)
            server.shutdown(socket.SHUT_WR)

        sending = threading.Thread(target=send)
        sending.start()
        assert read(client, 1 << 30) == LARGE
        sending.join()


@pytest.mark.slow
def test_what_is_lost_arrives_after_a_retransmission(proxy: OwnProxy, upstream: Peer) -> None:
    proxy.meet(Conditions(loss=0.1))
    with pair(proxy, upstream) as (client, server):
        times_s = [round_trip_s(client, server) for _ in range(100)]
    # The chance that none of 200 pieces is lost is 1 in 10^9. One in 50,000 runs loses a piece seven times: 25 s.
    assert max(times_s) >= 0.2
    assert min(times_s) < 0.2


def test_bandwidth_limits_each_connection(proxy: OwnProxy, upstream: Peer) -> None:
    proxy.meet(Conditions(bytes_per_s=200_000))
    with pair(proxy, upstream) as (client, server):
        took_s = round_trip_s(client, server, answer=bytes(200_000))
    assert took_s >= 0.95


def test_a_connection_is_reset_after_a_number_of_bytes(proxy: OwnProxy, upstream: Peer) -> None:
    with pair(proxy, upstream) as (client, server):
        round_trip_s(client, server)
        proxy.meet(Conditions(reset_after=1000))
        server.sendall(bytes(999))
        assert read(client, 999) == bytes(999)
        server.sendall(b"x" * 100)
        assert is_reset(client)
        assert is_reset(server)


def test_refuse_closes_the_port_and_gives_it_back(proxy: OwnProxy, upstream: Peer) -> None:
    with pair(proxy, upstream) as (client, server):
        proxy.meet(Conditions(refuse=True))
        assert is_reset(client)
        assert is_reset(server)
    with pytest.raises(ConnectionRefusedError):
        connect(proxy)
    with pytest.raises(OSError, match="in use"), socket.socket() as thief:
        thief.bind((proxy.host, proxy.port))
    proxy.clear()
    with pair(proxy, upstream) as (client, server):
        round_trip_s(client, server)


def test_a_black_hole_accepts_and_forwards_at_its_end(proxy: OwnProxy, upstream: Peer) -> None:
    with pair(proxy, upstream) as (client, server):
        round_trip_s(client, server)
        proxy.meet(Conditions(blackhole=True))
        client.sendall(b"held")
        server.sendall(b"back")
        with connect(proxy) as late:
            late.sendall(b"late")
            assert not upstream.waits()
            assert not arrives(server)
            assert not arrives(client)
            proxy.clear()
            assert read(server, 4) == b"held"
            assert read(client, 4) == b"back"
            with upstream.accept() as second:
                assert read(second, 4) == b"late"


def test_a_share_of_the_connections_is_hit(proxy: OwnProxy, upstream: Peer) -> None:
    proxy.meet(Conditions(reset_after=0, share=0.5))
    with ExitStack() as opened:
        clients, at_once = [], 0
        for _ in range(60):
            try:
                clients.append(opened.enter_context(connect(proxy)))
            except ConnectionResetError:  # before it was known to be open
                at_once += 1
        dead: set[socket.socket] = set()

        def hit() -> int:
            dead.update(client for client in clients if client not in dead and is_dead(client))
            return len(dead) + at_once

        wait_until(lambda: hit() >= 10, what="resets")
        wait_until(lambda: upstream.waits(), what="a connection that is not hit")
        assert hit() <= 50  # less often than once in a million runs


def test_a_client_that_did_not_wait_for_its_late_answer_is_forgotten(proxy: OwnProxy, upstream: Peer) -> None:
    proxy.meet(Conditions(latency_s=60))
    with pair(proxy, upstream) as (client, server):
        client.sendall(b"question")
        assert read(server, 8) == b"question"
        client.close()
        assert read(server, 1) == b""
        server.sendall(b"answer")
    time.sleep(0.2)  # both are under way: the answer, and the end
    proxy.meet(CLEAR)
    with pair(proxy, upstream) as (client, server):
        assert round_trip_s(client, server) < 5

"""Measures what a proxy without a fault costs: latency of a round trip, CPU time, and throughput.

A client and a server on one core exchange small messages and send large ones, directly and through the proxy, which
runs on the other core. Each round measures both ways one after the other.

    uv run python benchmarks/proxy.py --rounds 5
"""

from __future__ import annotations

import os
import socket
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from selectors import EVENT_READ, DefaultSelector

import click
import psutil

from benchmarks.output import Spread, run_command, show
from benchmarks.processes import on_core, start, two_cores, wait_until
from harness.proxies.process import ProxyProcess
from harness.targets.health import free_port, why_not_listening

MESSAGE = bytes(200)
CONNECTIONS = 100
CHUNK = bytes(1 << 18)
_LOOPBACK = "127.0.0.1"
DIRECT, PROXIED = "direct", "through the proxy"


@dataclass(frozen=True)
class Window:
    """One way in one round. ``cpu_us`` is the proxy's CPU time of a round trip."""

    median_us: float
    p99_us: float
    round_trips_s: float
    cpu_us: float
    megabytes_s: float


def serve(port: int) -> None:
    """Send back small messages, and take in large ones: a connection's first byte says which."""
    with socket.create_server((_LOOPBACK, port), backlog=4096) as listener:
        while True:
            connection, _ = listener.accept()
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            threading.Thread(target=_serve_one, args=(connection,), daemon=True).start()


def _serve_one(connection: socket.socket) -> None:
    with connection, suppress(ConnectionError):  # a client that has counted enough hangs up
        answers = connection.recv(1) == b"m"
        while data := connection.recv(1 << 18):
            if answers:
                connection.sendall(data)
        connection.sendall(b"!")


@contextmanager
def _connected(port: int, kind: bytes) -> Iterator[socket.socket]:
    with socket.create_connection((_LOOPBACK, port), timeout=30) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection.sendall(kind)
        yield connection


def _times_us(port: int, seconds: float) -> list[float]:
    """The times of round trips one after the other on one connection, sorted."""
    times = []
    with _connected(port, b"m") as connection:
        ends_s = time.perf_counter() + seconds
        while (began_s := time.perf_counter()) < ends_s:
            connection.sendall(MESSAGE)
            connection.recv(len(MESSAGE))
            times.append(1e6 * (time.perf_counter() - began_s))
    return sorted(times)


def _count(port: int, seconds: float) -> int:
    """How many round trips many connections make at once."""
    count = 0
    with ExitStack() as opened, DefaultSelector() as selector:
        for _ in range(CONNECTIONS):
            connection = opened.enter_context(_connected(port, b"m"))
            selector.register(connection, EVENT_READ, connection)
            connection.sendall(MESSAGE)
        ends_s = time.perf_counter() + seconds
        while time.perf_counter() < ends_s:
            for key, _ in selector.select(1.0):
                key.data.recv(len(MESSAGE))
                key.data.sendall(MESSAGE)
                count += 1
    return count


def _megabytes_s(port: int, size: int) -> float:
    with _connected(port, b"b") as connection:
        began_s = time.perf_counter()
        for _ in range(size // len(CHUNK)):
            connection.sendall(CHUNK)
        connection.shutdown(socket.SHUT_WR)
        connection.recv(1)  # the server has all
        return size / 1e6 / (time.perf_counter() - began_s)


def _window(port: int, proxy: psutil.Process, seconds: float, size: int) -> Window:
    times_us = _times_us(port, seconds)
    cpu_s = sum(proxy.cpu_times()[:2])
    count = _count(port, seconds)
    cpu_s = sum(proxy.cpu_times()[:2]) - cpu_s
    return Window(
        median_us=times_us[len(times_us) // 2],
        p99_us=times_us[len(times_us) * 99 // 100],
        round_trips_s=count / seconds,
        cpu_us=1e6 * cpu_s / count,
        megabytes_s=_megabytes_s(port, size),
    )


@click.command()
@click.option("--rounds", default=5, show_default=True, type=click.IntRange(1, 50))
@click.option("--seconds", default=3.0, show_default=True, type=click.FloatRange(0.1, 60), help="of each measurement")
@click.option("--short", is_flag=True, help="check in a few seconds that it works")
@click.option("--serve", "port", type=int, hidden=True)
def main(rounds: int, seconds: float, short: bool, port: int | None) -> None:
    """Measure what a proxy without a fault costs."""
    if port is not None:
        serve(port)
    own, others = two_cores()
    windows: dict[str, list[Window]] = {DIRECT: [], PROXIED: []}
    upstream = free_port()
    server = start([sys.executable, __file__, "--serve", str(upstream)], own)
    try:
        wait_until(lambda: why_not_listening(_LOOPBACK, upstream) is None, "the server")
        with on_core(others):
            process = ProxyProcess(Path(os.devnull))
        with process, on_core(own):
            proxy = process.add("benchmark", (_LOOPBACK, 0), (_LOOPBACK, upstream))
            for _ in range(1 if short else rounds):
                for way, at in ((DIRECT, upstream), (PROXIED, proxy.port)):
                    size = (16 if short else 1024) << 20
                    windows[way].append(_window(at, psutil.Process(process.pid), 0.2 if short else seconds, size))
    finally:
        server.kill()
        server.wait()
    ways = {
        way: {name: Spread.of(getattr(window, name) for window in seen) for name in Window.__annotations__}
        for way, seen in windows.items()
    }
    pairs = list(zip(windows[DIRECT], windows[PROXIED], strict=True))
    added = Spread.of(proxied.median_us - direct.median_us for direct, proxied in pairs)
    show(
        f"{len(MESSAGE)} bytes there and back; median (least–greatest) of the rounds; the proxy adds {added.text()} µs",
        ["", "median µs", "p99 µs", f"round trips/s, {CONNECTIONS} connections", "proxy's CPU µs each", "MB/s"],
        [[way, *(found[name].text(1 if name == "cpu_us" else 0) for name in found)] for way, found in ways.items()],
        {"benchmark": "proxy", "ways": ways, "added_us": added},
    )


if __name__ == "__main__":
    run_command(main)

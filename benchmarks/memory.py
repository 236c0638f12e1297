"""Measures a load worker's memory: per user with an open connection, and growth under load.

Part of ``benchmarks/generator.py`` (``--memory``). It reads the resident memory of the worker process without users,
then with users that have each sent a request and wait for an hour, and again while a few users send requests without
wait times.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import click

from benchmarks.generators import getter
from benchmarks.load import HarnessLoad, closed_phase
from benchmarks.nginx import Nginx
from benchmarks.output import show
from benchmarks.processes import two_cores, wait_until
from harness.open_files import allow_many_files

_IDLE = """
from locust import constant, task
from harness import HttpUser


class Idle(HttpUser):
    wait_time = constant(3600)

    @task
    def get(self):
        self.client.get("/")
"""
_JOINING_A_SECOND = 1000
_SPARE_FILES = 200
"""Files that nginx and a worker need besides connections."""
_EMPTY_S = 1.5
_HELD_S = 1.0
_BUSY_USERS = 32
_WARM_UP = 0.2
"""This share of the steady load is excluded, because users and caches are created in it."""
_COMPARED = 0.1
"""The share after it that is compared with the same share at the end."""


def measure_memory(users: int, seconds: float) -> None:
    """Print both measurements as a table and a JSON line. ``seconds`` is the length of the steady load."""
    files = allow_many_files()
    if users + _SPARE_FILES > files:
        raise click.ClickException(
            f"{users:,} open connections need as many files, but this process may open only {files:,} "
            f"(run `ulimit -Hn {users + _SPARE_FILES}` as root, or pass --users {files - _SPARE_FILES})"
        )
    generator_core, server_core = two_cores()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        # Twice as many, because nginx closes idle connections when the last sixteenth is in use.
        with Nginx(folder, server_core, connections=2 * users + _SPARE_FILES) as nginx:
            idle = _idle(folder, nginx, users, generator_core)
            steady = _steady(folder, nginx, seconds, generator_core)
    show(
        "Resident memory of one load worker",
        ["", "figure"],
        [
            ["without users", f"{idle['empty_bytes'] / 1e6:,.1f} MB"],
            [f"with {users:,} idle users, a connection each", f"{idle['full_bytes'] / 1e6:,.1f} MB"],
            ["a user", f"{idle['user_bytes'] / 1e3:,.1f} KB"],
            [f"after {steady['warm_up_s']:,.0f} s of steady load", f"{steady['early_bytes'] / 1e6:,.2f} MB"],
            [f"after {seconds:,.0f} s, {steady['requests']:,} requests", f"{steady['late_bytes'] / 1e6:,.2f} MB"],
        ],
        {"benchmark": "memory", "idle": idle, "steady": steady},
    )


def _idle(folder: Path, nginx: Nginx, users: int, core: int) -> dict[str, Any]:
    scenario = folder / "idle.py"
    scenario.write_text(_IDLE)
    joining_s = max(0.5, users / _JOINING_A_SECOND)
    held_s = _HELD_S + joining_s
    """On a busy machine they may join late."""
    phases = [
        closed_phase(0, _EMPTY_S, name="empty"),
        closed_phase(users, joining_s, ramp=True, name="joining"),
        closed_phase(users, held_s, name="held"),
    ]
    (folder / "idle").mkdir()
    load = HarnessLoad(folder / "idle", scenario, phases, nginx.url, core)
    try:
        worker = load.workers()[0]
        wait_until(lambda: load.phases_started() == 1, "the first phase", 30)
        time.sleep(_EMPTY_S * 0.6)
        empty = worker.memory_info().rss
        wait_until(lambda: nginx.connections() >= users, f"{users:,} connections", 30 + 2 * joining_s)
        time.sleep(_HELD_S * 0.6)
        full, open_connections = worker.memory_info().rss, nginx.connections()
        wait_until(lambda: not load.running(), "the end of the load", 60)
    finally:
        load.end()
    if not open_connections == load.recorded() == users:
        raise click.ClickException(
            f"{users:,} users have {open_connections:,} connections and sent {load.recorded():,} requests"
        )
    return {
        "users": users,
        "connections": open_connections,
        "empty_bytes": empty,
        "full_bytes": full,
        "user_bytes": (full - empty) / users,
    }


def _steady(folder: Path, nginx: Nginx, seconds: float, core: int) -> dict[str, Any]:
    (folder / "busy").mkdir()
    load = HarnessLoad(folder / "busy", getter(folder), [closed_phase(_BUSY_USERS, seconds)], nginx.url, core)
    resident: list[int] = []
    try:
        worker = load.workers()[0]
        wait_until(lambda: load.phases_started() == 1, "the first phase", 30)
        pause_s = min(1.0, seconds / 50)
        until_s = time.monotonic() + seconds
        while time.monotonic() < until_s:
            resident.append(worker.memory_info().rss)
            time.sleep(pause_s)
        wait_until(lambda: not load.running(), "the end of the load", 60)
    finally:
        load.end()
    first, count = int(len(resident) * _WARM_UP), max(1, int(len(resident) * _COMPARED))
    early, late = statistics.median(resident[first : first + count]), statistics.median(resident[-count:])
    return {
        "seconds": seconds,
        "warm_up_s": seconds * _WARM_UP,
        "requests": load.recorded(),
        "early_bytes": early,
        "late_bytes": late,
        "growth_bytes": late - early,
    }

"""Servers that the target is connected to are no neighbours that take its cores."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from itertools import pairwise
from pathlib import Path

import psutil
import pytest

from harness.record.resources import READINGS, Reading
from harness.sampling.dependencies import DependencyFinder
from harness.sampling.process_usage import ProcessUsageSampler
from tests.integration.sampling.test_process_usage import context
from tests.support.children import die_with_the_tests, wait_until
from tests.support.targets import run_folder

SERVE = """
import os, socket, sys, time
kind, path = sys.argv[1:3]
if kind == "unix":
    server = socket.socket(socket.AF_UNIX)
    server.bind(path)
    server.listen()
elif kind == "ipv6":
    server = socket.create_server(("::", 0), family=socket.AF_INET6, dualstack_ipv6=True)
else:
    server = socket.create_server(("127.0.0.1", 0))
print(path if kind == "unix" else server.getsockname()[1], flush=True)
if os.fork() == 0:  # as PostgreSQL does, another process than the first one has the connection
    connection, _ = server.accept()
    twice = connection.dup()  # as servers do that inetd starts
    server.close()
    print(os.getpid(), flush=True)
    while True:
        if len(sys.argv) < 4:
            time.sleep(60)
time.sleep(60)
"""
CONNECT = """
import socket, sys, time
if sys.argv[1].isdecimal():
    connection = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
else:
    connection = socket.socket(socket.AF_UNIX)
    connection.connect(sys.argv[1])
print("connected", flush=True)
time.sleep(60)
"""


class Processes:
    """Starts Python processes that end with the test, and reads what they print."""

    def __init__(self, stack: ExitStack) -> None:
        self._stack = stack

    def start(self, code: str, *arguments: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-S", "-c", code, *arguments],
            preexec_fn=die_with_the_tests,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        self._stack.callback(self._end, process)
        return process

    @staticmethod
    def _end(process: subprocess.Popen[str]) -> None:
        os.killpg(process.pid, 9)
        process.communicate()


@pytest.fixture
def processes() -> Iterator[Processes]:
    with ExitStack() as stack:
        yield Processes(stack)


def line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


@pytest.mark.parametrize("kind", ["ipv4", "ipv6", "unix"])
def test_the_first_process_of_a_server_that_the_target_is_connected_to(
    processes: Processes, tmp_path: Path, kind: str
) -> None:
    server = processes.start(SERVE, kind, str(tmp_path / "server"))
    target = processes.start(CONNECT, line(server))
    assert line(target) == "connected"
    connected = int(line(server))

    assert DependencyFinder().roots([target.pid], [], 0.0) == {server.pid} != {connected}
    assert DependencyFinder().roots([target.pid], [server.pid, connected], 0.0) == set()
    assert DependencyFinder().roots([os.getpid()], [], 0.0) == set()


@pytest.mark.parametrize("kind", ["ipv4", "ipv6", "unix"])
def test_clients_of_the_target_are_not_dependencies(processes: Processes, tmp_path: Path, kind: str) -> None:
    target = processes.start(SERVE, kind, str(tmp_path / "server"))
    client = processes.start(CONNECT, line(target))
    assert line(client) == "connected"
    connected = int(line(target))

    assert DependencyFinder().roots([target.pid, connected], [], 0.0) == set()


def used_beside(pid: int) -> float:
    """CPU seconds that all processes of the machine have used, less those of one that has ended no child."""
    times, its = psutil.cpu_times(), psutil.Process(pid).cpu_times()
    return float(times.user + times.nice + times.system - its.user - its.system)


def test_what_a_server_of_the_target_uses_is_not_taken_by_others(processes: Processes, tmp_path: Path) -> None:
    folder = run_folder(tmp_path)
    server = processes.start(SERVE, "ipv4", "", "busy")
    target = processes.start(CONNECT, line(server))
    serving = int(line(server))
    idle = processes.start("import time; time.sleep(60)")
    assert line(target) == "connected"
    before_s = used_beside(serving)
    sampler = ProcessUsageSampler(context(folder, target.pid, list), harness_pid=idle.pid)
    sampler.start()

    def machine() -> list[Reading]:
        readings = [reading for reading in READINGS.read(folder.resources) if reading.source == "machine"]
        return [reading for reading in readings if "others_percent" in reading.values]

    wait_until(lambda: sum(reading.values.get("dependencies_percent", 0.0) for reading in machine()) > 150)
    sampler.close()
    others_s = [
        reading.values["others_percent"] / 100 * (reading.epoch_s - last.epoch_s)
        for last, reading in pairwise(machine())
    ]
    assert others_s
    assert sum(others_s) <= used_beside(serving) - before_s + 0.1

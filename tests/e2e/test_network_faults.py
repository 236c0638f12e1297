"""A target with a slow dependency, and one that is far away: the figures show it, and nothing stays of it."""

from __future__ import annotations

import json
import re
import shlex
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit

import psutil
import psycopg
import pytest
import redis

from harness.errors import HarnessError
from harness.record.fault_events import FAULT_EVENTS, fault_spans
from harness.record.journal import Journal, read_journal
from tests.support.children import free_port, killed_at_end, wait_until
from tests.support.command import REPOSITORY, latest_run, start
from tests.support.faults import is_stopped, running
from tests.support.in_process import harness, running_in
from tests.support.postgresql import PostgreSQL
from tests.support.redis_server import start_redis
from tests.support.targets import all_ended

SCENARIO = """
from locust import constant, task
from harness import HttpUser

class Visitor(HttpUser):
    wait_time = constant(0.05)

    @task
    def count(self):
        self.client.get("/count")

    @task
    def name(self):
        with self.client.get("/host", catch_response=True) as response:
            if response.text != self.host.removeprefix("http://"):
                response.failure("called by another name: " + response.text)
"""
NO_CACHE = f"{shlex.quote(sys.executable)} -m http.server {{port}} --bind 127.0.0.1"
NOT_SAMPLED = "sampling = {{cpu = false, memory = false}}\n"
BESIDE_A_CACHE = """
[target]
command = '{command}'
ready = "/host"

[proxies.cache]
upstream = "{redis}"
environment = {{REDIS_URL = "redis://{{address}}/0"}}
"""
PROFILE = (
    NOT_SAMPLED
    + BESIDE_A_CACHE
    + """
[[phase]]
name = "slow-cache"
kind = "steady"
users = 4
duration = "4s"

[[phase]]
name = "far"
kind = "steady"
users = 4
duration = "4s"

[[fault]]
name = "cache slow"
kind = "network"
phase = "slow-cache"
between = "cache"
latency = "400ms"

[[fault]]
name = "target far"
kind = "network"
phase = "far"
between = "target"
latency = "300ms"
"""
)


@pytest.fixture(scope="module")
def redis_address() -> Iterator[str]:
    with start_redis() as url:
        yield urlsplit(url).netloc


def write_files(folder: Path, profile: str) -> None:
    (folder / "scenario.py").write_text(SCENARIO)
    (folder / "faulty.toml").write_text(profile)


def target_command() -> str:
    python = f"env PYTHONPATH={shlex.quote(str(REPOSITORY))} {shlex.quote(sys.executable)}"
    return f"{python} -m tests.support.redis_backed {{port}}"


def medians_ms(journal: Journal, phase: str, endpoint: str) -> list[float]:
    """Of a phase's seconds from its third one on: a fault has begun, and may be over in the last one."""
    index = ["slow-cache", "far"].index(phase)
    number = next(key for key, value in journal.endpoints.items() if str(value) == endpoint)
    start_s = next(span.start_s for span in journal.phases if span.phase == index)
    return [
        row.service.quantile_us(0.5) / 1000
        for second in journal.seconds
        for row in second.endpoint_seconds
        if (row.phase, row.endpoint) == (index, number) and second.second >= start_s + 2 and row.requests
    ]


@pytest.mark.slow
def test_a_slow_dependency_and_a_far_target_show_in_the_figures(tmp_path: Path, redis_address: str) -> None:
    write_files(tmp_path, PROFILE.format(command=target_command(), redis=redis_address))
    ended = harness("run", "scenario.py", "--profile", "faulty.toml", cwd=tmp_path)
    # Gates that name no fault leave its seconds out. 4: other tests leave the generator no time.
    assert ended.exit_code in (0, 3, 4), ended.err
    folder = latest_run(tmp_path)
    journal = read_journal(folder / "journal")
    assert max(medians_ms(journal, "slow-cache", "GET /count")) >= 380
    # Other tests may take the cores for a second.
    assert min(medians_ms(journal, "slow-cache", "GET /host")) < 380
    assert max(medians_ms(journal, "far", "GET /host")) >= 300
    assert max(medians_ms(journal, "far", "GET /count")) >= 300
    spans = fault_spans(FAULT_EVENTS.read(folder / "faults"))
    assert [(span.name, span.error) for span in spans] == [("cache slow", None), ("target far", None)]
    assert all(span.ended_s is not None and span.ended_s - span.began_s > 3 for span in spans)
    assert "through" not in json.loads((folder / "plan.json").read_text())


ALL = (
    NOT_SAMPLED
    + 'allowed_faults = ["127.0.0.1:{postgresql}", "pid:{neighbour}", "command"]\n'
    + BESIDE_A_CACHE
    + """
[[phase]]
kind = "steady"
users = 4
duration = "60s"

[[fault]]
name = "cache dead"
kind = "network"
between = "cache"
blackhole = true

[[fault]]
name = "target refuses"
kind = "network"
between = "target"
at = "1s"
refuse = true

[[fault]]
name = "locked"
kind = "dependency"
url = "{url}"
lock = "stock"

[[fault]]
name = "full"
kind = "pressure"
cpu = "5%"
memory = "50MiB"

[[fault]]
name = "target stands still"
kind = "process"
action = "pause"
at = "1s"

[[fault]]
name = "neighbour stands still"
kind = "process"
action = "pause"
at = "1s"
of = "pid:{neighbour}"

[[fault]]
name = "marked"
kind = "command"
start = "touch {mark}"
stop = "rm {mark}"
"""
)


@pytest.mark.slow
def test_a_killed_controller_leaves_no_fault_of_any_kind(
    tmp_path: Path, redis_address: str, postgresql: PostgreSQL
) -> None:
    url = postgresql.new_database()
    with psycopg.connect(url) as client:
        client.execute("CREATE TABLE stock (id int)")
    with running() as neighbour:
        mark = tmp_path / "mark"
        given = {"postgresql": postgresql.port, "url": url, "neighbour": neighbour.pid, "mark": mark}
        profile = ALL.format(command=target_command(), redis=redis_address, **given)
        write_files(tmp_path, profile)
        started = start("run", "scenario.py", "--profile", "faulty.toml", cwd=tmp_path, group=True)
        with killed_at_end(started) as process:
            wait_until(lambda: list(tmp_path.glob("reports/*/faults")), what="the faults' log")
            folder = latest_run(tmp_path)
            log = folder / "faults"
            wait_until(lambda: len(fault_spans(FAULT_EVENTS.read(log))) == 7, what="all faults")
            wait_until(lambda: len(presses(process.pid)) > 1, what="the pressure")
            wait_until(lambda: is_stopped(neighbour) and mark.exists(), what="the paused neighbour and the mark")
            with psycopg.connect(url, autocommit=True) as client:
                client.execute("SET lock_timeout = '100ms'")
                wait_until(lambda: is_locked(client), what="the lock")
            others = [child.pid for child in psutil.Process(process.pid).children(recursive=True)]
            assert len(others) > 6
        assert all_ended(others)
        wait_until(lambda: not is_stopped(neighbour), what="the neighbour's going on")
        assert not mark.exists()
    with psycopg.connect(url) as client:
        client.execute("SET lock_timeout = '20s'")
        client.execute("SELECT * FROM stock")
    with redis.Redis.from_url(f"redis://{redis_address}/0", socket_timeout=20) as client:
        assert client.ping()
    assert all(span.ended_s is not None for span in fault_spans(FAULT_EVENTS.read(log)))

    judged = harness("report", folder.name, cwd=tmp_path)
    assert judged.exit_code == 0, judged.err
    notices = json.loads((folder / "summary.json").read_text())["notices"]
    assert not [notice for notice in notices if notice["code"].startswith("fault-")]


def presses(pid: int) -> list[psutil.Process]:
    children = psutil.Process(pid).children(recursive=True)
    return [child for child in children if any("pressing.py" in word for word in child.cmdline())]


def is_locked(client: psycopg.Connection[tuple[object, ...]]) -> bool:
    try:
        client.execute("SELECT * FROM stock")
    except psycopg.errors.LockNotAvailable:
        return True
    return False


@pytest.mark.slow
def test_a_run_whose_proxies_are_killed_is_broken(tmp_path: Path) -> None:
    """What fails then is not the target's fault."""
    (tmp_path / "scenario.py").write_text(SCENARIO)
    (tmp_path / "faulty.toml").write_text(
        f"sampling = {{cpu = false, memory = false}}\n[target]\ncommand = '{NO_CACHE}'\nready = '/'\n"
        '[[phase]]\nkind = "steady"\nusers = 2\nduration = "60s"\n'
        '[[fault]]\nkind = "network"\nbetween = "target"\nat = "50s"\nlatency = "1s"\n'
    )

    def kill() -> None:
        wait_until(lambda: has_begun(tmp_path), what="the load")
        (holder,) = running_in(tmp_path, "harness.proxies")
        holder.kill()

    result = harness("run", "scenario.py", "--profile", "faulty.toml", cwd=tmp_path, meanwhile=kill)
    assert result.exit_code == 4, result.err
    summary = json.loads((latest_run(tmp_path) / "summary.json").read_text())
    assert summary["verdict_reasons"][0]["code"] == "proxies-ended"


def has_begun(folder: Path) -> bool:
    with suppress(HarnessError):  # its first frame is not written yet
        return any(read_journal(path).seconds for path in folder.glob("reports/*/journal"))
    return False


@pytest.mark.slow
@pytest.mark.parametrize("key", ["proxies.cache.listen", "proxies.cache.upstream", "fault[2]"])
def test_what_cannot_work_is_reported_before_any_load(tmp_path: Path, redis_address: str, key: str) -> None:
    port = free_port()
    profile = PROFILE.format(command=target_command(), redis=redis_address)
    if key.endswith("listen"):
        profile = profile.replace("[proxies.cache]", f'[proxies.cache]\nlisten = "{redis_address}"')
    elif key.endswith("upstream"):
        profile = profile.replace(redis_address, f"127.0.0.1:{port}")
    else:
        fault = f'kind = "dependency"\nphase = "far"\nurl = "redis://127.0.0.1:{port}"\nflush = true\n'
        profile = f'allowed_faults = ["127.0.0.1:{port}"]\n{profile}\n[[fault]]\nname = "flushed"\n{fault}'
    write_files(tmp_path, profile)
    ended = harness("run", "scenario.py", "--profile", "faulty.toml", cwd=tmp_path)
    assert ended.exit_code == 2, ended.err
    assert re.search(rf"faulty\.toml:\d+: {re.escape(key)}: ", ended.err), ended.err
    assert not list(tmp_path.glob("reports/*/journal"))

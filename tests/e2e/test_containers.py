"""docker-compose.yml's constellation without containers: every service as the file has it, on ports of this test's own.

PostgreSQL, Redis, vendor, shop, workers and master are processes of their own, started in the file's order, each when
those it needs are healthy by the file's own checks. Prometheus' part is played by the test.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psycopg
import pytest
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample

from tests.support.children import die_with_the_tests, free_port, stop, wait_until
from tests.support.command import LONGEST_S, REPOSITORY
from tests.support.compose import Service, read_services
from tests.support.postgresql import PostgreSQL
from tests.support.redis_server import start_redis

WORKERS = 1
PROFILE = """
[[phase]]
kind = "ramp"
users = 6
duration = "1s"

[[phase]]
kind = "steady"
users = 6
duration = "2s"

[[gate]]
require = "error_rate < 99%"
phase = "steady"

[sampling]
cpu = false
memory = false
"""


class Constellation:
    """The file's services in a folder that stands for ``/work``. All of it ends with the test."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.services = read_services({"PROFILE": "short", "WORKERS": str(WORKERS)})
        self.ports: defaultdict[str, int] = defaultdict(free_port)
        """Of each that listens, taken when it is first named: just before it starts."""
        self.backends: dict[str, str] = {}
        self.running: dict[str, subprocess.Popen[str]] = {}
        (folder / "profiles").mkdir()
        (folder / "profiles" / "short.toml").write_text(PROFILE)
        shutil.copytree(REPOSITORY / "scenarios", folder / "scenarios")
        (folder / "secret").write_text("a secret of this test alone\n")

    def address(self, service: str) -> str:
        return f"127.0.0.1:{self.ports[service]}"

    def here(self, text: str) -> str:
        """What the file says of an address, a port or a path, as it is on this machine."""
        of = {"8001": "payment", "8000": "shop", "9646": "metrics"}
        listening = r"(?:payment|shop|0\.0\.0\.0):(8001|8000|9646)\b"
        text = re.sub(listening, lambda found: self.address(of[found[1]]), text)
        alone = r"(^|127\.0\.0\.1/)(8001|8000|9646)\b"
        text = re.sub(alone, lambda found: f"{found[1]}{self.ports[of[found[2]]]}", text)
        text = re.sub(r"postgres:5432|redis:6379", lambda found: self.backends[found[0]], text)
        text = re.sub(r"(?<=--bind=)0\.0\.0\.0|(?<=--master=)master", lambda _: self.address("master"), text)
        text = re.sub("(?<=getent hosts )master", "localhost", text)
        return text.replace("0.0.0.0", "127.0.0.1").replace("/run/secrets/harness", str(self.folder / "secret"))

    def start(self, service: Service, number: int = 1) -> None:
        """Start it, when those it needs are healthy."""
        for needed, how in service.written.get("depends_on", {}).items():
            # PostgreSQL and Redis have answered already
            if needed in self.running and how["condition"] == "service_healthy":
                self.wait_until_healthy(self.services[needed])
        variables = {name: self.here(value) for name, value in service.environment.items()}
        if "HARNESS_PID" in variables:
            # Its first process, in the numbers of its container; here they are the machine's.
            variables["HARNESS_PID"] = str(self.running["shop"].pid)
        inherited = {
            name: value for name, value in os.environ.items() if not name.startswith(("SHOP_", "HARNESS_", "PAYMENT_"))
        }
        inherited["PATH"] = f"{Path(sys.executable).parent}:{inherited['PATH']}"  # where python and harness are
        name = f"{service.name}-{number}" if number > 1 else service.name
        with self.log(name).open("w") as log:
            self.running[name] = subprocess.Popen(
                [self.here(word) for word in service.words],
                cwd=self.folder,
                env=inherited | variables,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                text=True,
                preexec_fn=die_with_the_tests,
            )

    def log(self, name: str) -> Path:
        """Its output goes into a file, because a pipe without a reader would block it when full."""
        return self.folder / f"{name}.log"

    def wait_until_healthy(self, service: Service) -> None:
        """As its own check has it."""
        kind, *check = service.written["healthcheck"]["test"]
        assert kind == "CMD"
        check = [self.here(word) for word in check]

        def healthy() -> bool:
            process = self.running[service.name]
            assert process.poll() is None, self.log(service.name).read_text()
            time.sleep(0.4)  # a check is a process
            return subprocess.run(check, capture_output=True, check=False, timeout=60).returncode == 0

        wait_until(healthy, what=f"{service.name}'s being healthy")

    def start_backends(self, postgres: PostgreSQL, stack: ExitStack) -> None:
        """The user and the database that PostgreSQL's image makes, and Redis."""
        made = self.services["postgres"].environment
        with psycopg.connect(postgres.url, autocommit=True) as connection:
            connection.execute(f"CREATE ROLE {made['POSTGRES_USER']} LOGIN".encode())
            connection.execute(f"CREATE DATABASE {made['POSTGRES_DB']} OWNER {made['POSTGRES_USER']}".encode())
        redis = urlsplit(stack.enter_context(start_redis())).netloc
        self.backends = {"postgres:5432": f"127.0.0.1:{postgres.port}", "redis:6379": redis}

    def end(self) -> None:
        for process in self.running.values():
            if process.poll() is None:
                process.kill()
            process.wait()


@contextmanager
def constellation(folder: Path, postgres: PostgreSQL) -> Iterator[Constellation]:
    with ExitStack() as stack:
        made = Constellation(folder)
        made.start_backends(postgres, stack)
        stack.callback(made.end)
        for name in ("payment", "shop"):
            made.start(made.services[name])
        for number in range(WORKERS):
            made.start(made.services["worker"], number + 1)
        made.start(made.services["master"])
        made.wait_until_healthy(made.services["master"])
        yield made


def scrape(url: str) -> str | None:
    """What Prometheus would read there; None if nothing listens, or no longer does when the request arrives."""
    try:
        with urllib.request.urlopen(url, timeout=10) as response:
            return str(response.read().decode())
    except ConnectionResetError:
        return None
    except urllib.error.URLError as error:
        if not isinstance(error.reason, ConnectionError):
            raise
        return None


def scrape_until_the_end(url: str, on: Constellation) -> list[str]:
    """All that Prometheus would have read while the master ran."""
    scraped: list[str | None] = []
    deadline = time.monotonic() + LONGEST_S
    while on.running["master"].poll() is None:
        assert time.monotonic() < deadline, f"the master did not end:\n{on.log('master').read_text()}"
        scraped.append(scrape(url))
        time.sleep(0.2)
    seen = [one for one in scraped if one is not None]
    assert scraped[: len(seen)] == seen, "the master did not answer for a while"  # but after its last answer
    return seen


def samples(scraped: str, name: str) -> list[Sample]:
    """Those of that name, as Prometheus reads them."""
    return [one for family in text_string_to_metric_families(scraped) for one in family.samples if one.name == name]


def counts(scraped: str, name: str) -> Counter[tuple[str, str, str]]:
    """Of a counter, by phase, method and name."""
    found = samples(scraped, name)
    return Counter({(one.labels["phase"], one.labels["method"], one.labels["name"]): int(one.value) for one in found})


@pytest.mark.slow
def test_the_services_run_and_scraped_figures_match_the_summary(tmp_path: Path, postgresql: PostgreSQL) -> None:
    with constellation(tmp_path, postgresql) as on:
        seen = scrape_until_the_end(f"http://{on.address('metrics')}/metrics", on)
        codes = {
            name: process.wait(LONGEST_S) for name, process in on.running.items() if name not in ("shop", "payment")
        }
        with urllib.request.urlopen(f"http://{on.address('shop')}/served", timeout=10) as response:
            served: dict[str, Any] = json.load(response)
        shop = scrape(f"http://{on.address('shop')}/metrics")
        assert [stop(on.running[name]) for name in ("shop", "payment")] == [0, 0]

    (summary_file,) = tmp_path.glob("reports/*/summary.json")
    summary = json.loads(summary_file.read_text())
    assert codes["master"] == summary["exit_code"], on.log("master").read_text()
    # On a busy machine the generator may have been too slow to say more; nothing else went wrong.
    if summary["verdict"] != "pass":
        assert all("generator" in reason for reason in summary["reasons"]), summary["reasons"]
    assert codes["worker"] == 0, on.log("worker").read_text()
    assert summary["generator"]["workers"] == WORKERS
    assert (summary_file.parent / "report.html").exists()

    requests = {
        (phase["name"], one["method"], one["name"]): (one["requests"], one["failures"])
        for phase in summary["phases"]
        for one in phase["endpoints"]
    }
    assert sum(count for count, _ in requests.values()) == summary["totals"]["requests"] == served["total"] > 0
    last = seen[-1]
    assert counts(last, "harness_requests_total") == {key: count for key, (count, _) in requests.items()}
    assert counts(last, "harness_failures_total") == {key: failed for key, (_, failed) in requests.items()}
    assert counts(last, "harness_response_seconds_count") == counts(last, "harness_requests_total")
    while_it_ran = next(one for one in seen if samples(one, "harness_requests_total"))
    assert 0 < counts(while_it_ran, "harness_requests_total").total() < summary["totals"]["requests"]
    assert [one.value for one in samples(while_it_ran, "harness_users")] != [0]

    assert shop is not None
    assert sum(one.value for one in samples(shop, "shop_requests_total")) == served["total"]

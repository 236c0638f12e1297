"""Each row is used once across three workers on two addresses, and a machine with other rows is rejected."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from tests.support.children import free_port, wait_until
from tests.support.command import finish, start
from tests.support.counting_server import CountingServer
from tests.support.in_process import harness
from tests.support.relay import relay

SCENARIO = """
import harness
from locust import constant, task
from harness import HttpUser, gate, steady

rows = harness.feeder("ids.csv", order="unique")
mixed = harness.feeder("ids.csv", order="shuffle")

class Visitor(HttpUser):
    wait_time = constant(0.02)

    @task
    def visit(self):
        token = harness.setup_data()
        self.client.get(f"/{token}/{next(rows)['id']}", name="in order")
        self.client.get(f"/mixed/{next(mixed)['id']}", name="shuffled")

def setup(target):
    return f"of{len(rows)}-{rows[0]['id']}"

phases = [steady(users=9, hold="1s")]
gates = [gate("error_rate < 90%")]  # holds on a busy machine, too
"""
SECRET = ("HARNESS_SECRET", "a secret of this test alone")


def connects(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def prepared(folder: Path, rows: int = 5000) -> Path:
    folder.mkdir()
    (folder / "sale.py").write_text(SCENARIO)
    (folder / "ids.csv").write_text("id\n" + "".join(f"r{number}\n" for number in range(rows)))
    return folder


@pytest.mark.slow
def test_rows_come_once_across_three_workers_on_two_addresses(
    server: CountingServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here, there = prepared(tmp_path / "here"), tmp_path / "there"
    there.mkdir()
    monkeypatch.setenv(*SECRET)
    port = free_port()

    def work() -> None:
        with relay("127.0.0.2", port) as other:
            wait_until(lambda: connects(port), what="a master that listens")
            masters = (f"127.0.0.1:{port}", f"127.0.0.2:{other}")
            workers = [start("worker", "--master", master, cwd=there, env=dict([SECRET])) for master in masters]
            ended = [finish(worker) for worker in workers]
        assert [each.code for each in ended] == [0, 0], ended

    bind = ["--bind", f"127.0.0.1:{port}", "--workers", "1", "--expect-workers", "2"]
    result = harness("run", "sale.py", "--host", server.url, *bind, "--seed", "7", "--json", cwd=here, meanwhile=work)
    assert result.exit_code == 0, result.err
    summary = result.json
    assert summary["generator"]["workers"] == 3
    assert summary["totals"]["requests"] == server.served.total() > 0
    for path in ("GET /of5000-r0/", "GET /mixed/"):
        seen = {name: count for name, count in server.served.items() if name.startswith(path)}
        assert set(seen.values()) == {1}


@pytest.mark.parametrize(
    ("content", "code", "where"),
    [
        (b"id,name\nAnn\n", "feeder-row-ragged", "ids.csv:2"),
        (b"id\nJ\xf6rg\n", "feeder-not-utf8", "ids.csv:2"),
        (b"", "feeder-empty", "ids.csv"),
        (None, "feeder-file-missing", "sale.py:6"),
    ],
)
def test_a_file_that_is_wrong_is_one_error_before_anything_starts(
    server: CountingServer, tmp_path: Path, content: bytes | None, code: str, where: str
) -> None:
    folder = prepared(tmp_path / "here")
    if content is None:
        (folder / "ids.csv").unlink()
    else:
        (folder / "ids.csv").write_bytes(content)
    result = harness("run", "sale.py", "--host", server.url, cwd=folder)
    assert (result.exit_code, result.code) == (2, code), result.err
    assert result.error is not None
    assert result.error.where == str(folder / where)
    assert not server.served
    assert not (folder / "reports").exists() or not list((folder / "reports").glob("*/plan.json"))

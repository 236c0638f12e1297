"""The process that checks: what it writes, in bounded memory, and that it ends with its input."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import msgpack

from harness.contracts.checker import Tally
from harness.contracts.checks import CHECKS, Checked, FoundBreach
from harness.record.contract_checks import CONTRACT_DOCUMENT, CONTRACT_SECONDS
from harness.record.sampled_responses import CHECKER_READY
from tests.support.children import die_with_the_tests
from tests.unit.contracts.support import promising, response


def started(folder: Path) -> subprocess.Popen[bytes]:
    """The process, ready, with the document of ``GET /things``."""
    against = promising({"type": "object", "properties": {"a": {"type": "integer"}}})
    (folder / "openapi.json").write_text(json.dumps(against.data))
    child = subprocess.Popen(
        [sys.executable, "-m", "harness.quick_start", "harness.contracts.checker"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        preexec_fn=die_with_the_tests,
    )
    settings = {
        "document": str(folder / "openapi.json"),
        "record": str(folder / "contract"),
        "source": "openapi.json",
        "sha256": "f" * 64,
        "checks": CHECKS,
        "base_path": "",
        "origins": ["http://localhost:8000"],
        "secret_names": [],
    }
    send(child, settings)
    assert child.stdout is not None
    assert child.stdout.readline() == CHECKER_READY
    return child


def send(child: subprocess.Popen[bytes], value: Any) -> None:
    assert child.stdin is not None
    child.stdin.write(msgpack.packb(value))
    child.stdin.flush()


def test_it_writes_what_it_found_and_ends_with_its_input(tmp_path: Path) -> None:
    child = started(tmp_path)
    send(child, [[response({"a": 1}), response({"a": "x"}), response({}, path="/other")], {"rate": 2}])
    elsewhere = response({}, path="/other")._replace(url="http://127.0.0.1:8001/other")
    send(child, [[response({"a": 2}), elsewhere, response({})._replace(url="http://[::1/")], {}])
    child.communicate(timeout=60)
    assert child.returncode == 0
    (document,) = CONTRACT_DOCUMENT.read(tmp_path / "contract")
    assert (document.sha256, document.operations[0].operation) == ("f" * 64, "GET /things")
    seconds = CONTRACT_SECONDS.read(tmp_path / "contract")
    assert seconds[-1].is_last
    counts = [one for second in seconds for one in second.responses]
    assert sum(one.checked for one in counts) == 4
    assert sum(one.breached for one in counts) == 2
    found = {(one.operation, one.path, one.rule): one.value for second in seconds for one in second.breaches}
    assert found == {("GET /things", "body.a", "type"): '"x"', ("", "request", "missing"): ""}
    assert [sum(second.skipped.get(why, 0) for second in seconds) for why in ("rate", "unreadable")] == [2, 1]


def test_what_it_has_written_survives_its_kill(tmp_path: Path) -> None:
    child = started(tmp_path)
    child.kill()
    child.wait()
    assert CONTRACT_DOCUMENT.read(tmp_path / "contract")
    assert not any(second.is_last for second in CONTRACT_SECONDS.read(tmp_path / "contract"))


def test_a_target_that_invents_kinds_of_breaches_does_not_exhaust_memory() -> None:
    tally = Tally()
    for number in range(10_000):
        breach = FoundBreach("body", f"body.{number}", "additionalProperties", "is not in the schema", "1")
        tally.add(response({}), Checked(None, media_type=f"text/{number}", breaches=[breach]))
    second = tally.take()
    assert len(second.responses) + len(second.breaches) < 2_100
    assert sum(one.checked for one in second.responses) == sum(one.seen for one in second.breaches) == 10_000


def test_a_value_is_written_once() -> None:
    tally, breach = Tally(), FoundBreach("body", "body.a", "type", "is not", "1")
    for value in ("1", "2"):
        tally.add(response({}), Checked(None, breaches=[breach._replace(value=value)]))
    (first,) = tally.take().breaches
    tally.add(response({}), Checked(None, breaches=[breach, breach._replace(value="3")]))
    (later,) = tally.take().breaches
    assert ((first.value, first.seen), (later.value, later.seen)) == (("1", 2), ("", 1))

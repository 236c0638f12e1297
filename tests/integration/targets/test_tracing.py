"""A managed target sends its spans to the harness; a target that cannot still starts, with a note."""

from __future__ import annotations

import json
import sys
import urllib.request
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from harness.plan.model.target import CommandTarget, ShopTarget
from harness.record.run_folder import RunFolder
from harness.record.spans import Span, read_spans
from harness.record.traced_requests import traceparent
from harness.sampling.otlp_receiver import OtlpReceiver
from harness.targets.start import start_target
from harness.targets.tracing import Tracing
from tests.support.children import wait_until
from tests.support.postgresql import PostgreSQL
from tests.support.redis_server import start_redis
from tests.support.targets import run_folder, script_target

SHOW_SETTINGS = """
import json
with open("settings.json", "w") as file:
    json.dump(dict(os.environ), file)
serve(sys.argv[1])
"""


@pytest.fixture
def folder(tmp_path: Path) -> RunFolder:
    return run_folder(tmp_path)


@pytest.fixture
def redis_url() -> Iterator[str]:
    with start_redis() as url:
        yield url


@pytest.fixture
def receiver(folder: RunFolder) -> Iterator[OtlpReceiver]:
    receiver = OtlpReceiver(folder.spans, "127.0.0.1", 0)
    yield receiver
    receiver.close()


def send(url: str, trace: bytes | None, body: object = None, token: str = "") -> Any:
    headers = {"Content-Type": "application/json", **({"traceparent": traceparent(trace)} if trace else {})}
    headers |= {"Authorization": f"Bearer {token}"} if token else {}
    data = None if body is None else json.dumps(body).encode()
    sent = urllib.request.Request(url, data, headers, method="GET" if body is None else "POST")
    with urllib.request.urlopen(sent) as response:
        return json.load(response)


@pytest.mark.slow
@pytest.mark.parametrize("backends", ["SQLite", "PostgreSQL and Redis"])
def test_the_shop_shows_statements_and_its_call_to_the_vendor(
    folder: RunFolder, receiver: OtlpReceiver, request: pytest.FixtureRequest, backends: str
) -> None:
    environment = {}
    if backends != "SQLite":
        server: PostgreSQL = request.getfixturevalue("postgresql")
        environment = {
            "SHOP_DATABASE_URL": server.new_database(),
            "SHOP_CACHE_URL": request.getfixturevalue("redis_url"),
        }
    tracing = Tracing(receiver.url, instrument=True)
    traces = {name: bytes([number] * 16) for number, name in enumerate(("products", "checkout"), 1)}
    with start_target(ShopTarget(environment=environment), folder, tracing=tracing) as shop:
        send(f"{shop.url}/products", traces["products"])
        send(f"{shop.url}/products?page=2", None)
        token = send(f"{shop.url}/login", None, {"user": "me"})["token"]
        send(f"{shop.url}/cart", None, {"product_id": 3}, token)
        send(f"{shop.url}/checkout", traces["checkout"], {}, token)
        wait_until(lambda: len(_by_trace(folder)) == 2, seconds=20)
        assert len(shop.agents()) > 0
    receiver.close()
    found = _by_trace(folder)
    assert set(found) == set(traces.values())
    assert not tracing.notes
    kinds = {name: Counter(span.kind for span in found[trace]) for name, trace in traces.items()}
    assert kinds["products"]["server"] == 1
    assert kinds["products"]["database"] >= 1
    assert kinds["checkout"]["downstream"] == 1
    assert kinds["checkout"]["database"] > kinds["products"]["database"]
    assert (kinds["checkout"]["cache"] > 0) == (backends != "SQLite")
    assert {span.service for span in found[traces["products"]]} == {"shop"}
    (root,) = (span for span in found[traces["products"]] if span.kind == "server")
    assert root.parent == traces["products"][:8]


def _by_trace(folder: RunFolder) -> dict[bytes, list[Span]]:
    found: dict[bytes, list[Span]] = {}
    for span in read_spans(folder.spans).spans:
        found.setdefault(span.trace, []).append(span)
    return found


def test_an_uninstrumented_python_starts_with_a_note(
    folder: RunFolder, receiver: OtlpReceiver, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "python3").symlink_to(Path(sys.executable).resolve())  # nothing of the harness is installed with it
    plan = script_target(tmp_path, SHOW_SETTINGS)
    command = plan.command.replace(sys.executable, str(tmp_path / "python3"))
    tracing = Tracing(receiver.url, instrument=True)
    own = {"OTEL_SERVICE_NAME": "books", "OTEL_TRACES_SAMPLER": "always_on"}
    with start_target(plan.model_copy(update={"command": command, "environment": own}), folder, tracing=tracing):
        settings = json.loads((tmp_path / "settings.json").read_text())
    assert [note.code for note in tracing.notes] == ["target-not-instrumented"]
    assert settings["OTEL_EXPORTER_OTLP_ENDPOINT"] == receiver.url
    assert settings["OTEL_EXPORTER_OTLP_PROTOCOL"] == "http/protobuf"
    assert (settings["OTEL_SERVICE_NAME"], settings["OTEL_TRACES_SAMPLER"]) == ("books", "always_on")


@pytest.mark.parametrize("wrapped", [False, True])
def test_other_programs_are_started_as_they_are(
    folder: RunFolder, receiver: OtlpReceiver, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, wrapped: bool
) -> None:
    """Also Python, unless the user asked for instrumentation."""
    monkeypatch.chdir(tmp_path)
    plan = script_target(tmp_path, SHOW_SETTINGS)
    if wrapped:
        plan = CommandTarget(command=f"nice -n 0 {plan.command}")
    tracing = Tracing(receiver.url, instrument=wrapped)
    with start_target(plan, folder, tracing=tracing):
        settings = json.loads((tmp_path / "settings.json").read_text())
    assert not tracing.notes
    assert "auto_instrumentation" not in settings.get("PYTHONPATH", "")
    assert settings["OTEL_SERVICE_NAME"] == ("nice" if wrapped else Path(sys.executable).name)

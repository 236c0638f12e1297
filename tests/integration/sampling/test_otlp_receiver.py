"""The receiver of spans takes what exporters send, refuses the rest, and neither fails nor grows without bound."""

from __future__ import annotations

import gzip
import http.client
import json
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from harness.record.spans import Spans, read_spans
from harness.sampling import otlp_receiver
from harness.sampling.otlp_receiver import PATH, OtlpReceiver

PROTOBUF, JSON = "application/x-protobuf", "application/json"
NOW_NS = 1_795_953_318_331_981_357


@pytest.fixture
def receiver(tmp_path: Path) -> Iterator[OtlpReceiver]:
    receiver = OtlpReceiver(tmp_path / "spans", "127.0.0.1", 0)
    yield receiver
    receiver.close()


def post(
    receiver: OtlpReceiver,
    body: bytes,
    kind: str = PROTOBUF,
    *,
    path: str = PATH,
    coding: str = "",
    method: str = "POST",
) -> int:
    connection = http.client.HTTPConnection(receiver.host, receiver.port, timeout=20)
    headers = {"Content-Type": kind, **({"Content-Encoding": coding} if coding else {})}
    try:
        connection.request(method, path, body, headers)
        return connection.getresponse().status
    except (BrokenPipeError, ConnectionResetError):  # it has refused before it had all
        return 0
    finally:
        connection.close()


def export(count: int = 1, statement: str = "SELECT * FROM t WHERE id = 17", **more: Any) -> dict[str, Any]:
    """An export as OTLP's JSON has it."""
    spans = [
        {
            "traceId": f"{number + 1:032x}",
            "spanId": f"{number + 1:016x}",
            "parentSpanId": "00000000000000aa",
            "name": "SELECT shop",
            "kind": 3,
            "startTimeUnixNano": str(NOW_NS),
            "endTimeUnixNano": NOW_NS + 1_500_000,
            "attributes": [
                {"key": "db.system", "value": {"stringValue": "sqlite"}},
                {"key": "db.statement", "value": {"stringValue": statement}},
            ],
            "status": {},
            **more,
        }
        for number in range(count)
    ]
    service = {"attributes": [{"key": "service.name", "value": {"stringValue": "books"}}]}
    return {"resourceSpans": [{"resource": service, "scopeSpans": [{"spans": spans}]}]}


def as_json(**more: Any) -> bytes:
    return json.dumps(export(**more)).encode()


def as_protobuf(count: int = 1, **more: Any) -> bytes:
    from harness.sampling.otlp_spans import read_json

    message = read_json(as_json(count=count, **more))
    assert isinstance(message, ExportTraceServiceRequest)
    return bytes(message.SerializeToString())


def received(receiver: OtlpReceiver, tmp_path: Path) -> Spans:
    receiver.close()
    return read_spans(tmp_path / "spans")


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("kind", [PROTOBUF, JSON, "application/json; charset=utf-8"])
def test_exports_are_kept_without_parameters(receiver: OtlpReceiver, tmp_path: Path, kind: str, packed: bool) -> None:
    body = as_protobuf() if kind == PROTOBUF else as_json()
    status = post(receiver, gzip.compress(body) if packed else body, kind, coding="gzip" if packed else "")
    assert status == 200
    (span,) = received(receiver, tmp_path).spans
    assert (span.trace.hex(), span.span.hex(), span.parent.hex()) == (f"{1:032x}", f"{1:016x}", "00000000000000aa")
    assert (span.kind, span.service, span.text) == ("database", "books", "SELECT * FROM t WHERE id = ?")
    assert span.length_ms == 1.5


@pytest.mark.parametrize(
    ("body", "more", "status"),
    [
        (b"\xff\xfe garbage", {}, 400),
        (b"{]", {"kind": JSON}, 400),
        (b'{"resourceSpans": 7}', {"kind": JSON}, 400),
        (b'{"resourceSpans": [{"scopeSpans": [{"spans": [{"traceId": "xyz"}]}]}]}', {"kind": JSON}, 400),
        (b"[" * 100_000, {"kind": JSON}, 400),
        (b"spans", {"kind": "text/plain"}, 415),
        (b"", {"kind": ""}, 415),
        (b"not gzip", {"coding": "gzip"}, 400),
        (gzip.compress(b"cut off" * 100, mtime=0)[:-20], {"coding": "gzip"}, 400),
        (b"", {"coding": "br"}, 415),
        (b"", {"path": "/"}, 404),
        (b"", {"path": "/v1/traces/../../etc/passwd"}, 404),
        (b"", {"method": "GET"}, 405),
    ],
)
def test_anything_but_an_export_is_rejected(
    receiver: OtlpReceiver, tmp_path: Path, body: bytes, more: dict[str, str], status: int
) -> None:
    assert post(receiver, body, **more) == status
    assert post(receiver, as_protobuf()) == 200
    found = received(receiver, tmp_path)
    assert len(found.spans) == 1
    assert found.received.refused == 1


def test_metrics_and_logs_are_accepted_and_dropped(receiver: OtlpReceiver, tmp_path: Path) -> None:
    assert post(receiver, b"whatever", path="/v1/metrics") == 200
    assert post(receiver, b"{}", JSON, path="/v1/logs") == 200
    found = received(receiver, tmp_path)
    assert not found.spans
    assert found.received.refused == 0


def test_a_huge_body_and_a_gzip_bomb_take_no_memory(receiver: OtlpReceiver, tmp_path: Path) -> None:
    bomb = gzip.compress(bytes(1 << 26), 1)
    process = psutil.Process()
    before = process.memory_info().rss
    assert post(receiver, bytes(otlp_receiver.LONGEST_BODY + 1)) in (413, 0)
    assert post(receiver, bomb[: otlp_receiver.LONGEST_BODY], coding="gzip") == 413
    assert process.memory_info().rss - before < 3 * otlp_receiver.LONGEST_UNPACKED
    assert post(receiver, as_protobuf()) == 200
    assert received(receiver, tmp_path).received.refused == 2


@pytest.mark.parametrize(
    "more",
    [
        {"traceId": ""},
        {"spanId": "ab"},
        {"parentSpanId": "ab"},
        {"startTimeUnixNano": "0"},
        {"endTimeUnixNano": NOW_NS - 1},
        {"endTimeUnixNano": 2**64 - 1},
    ],
)
def test_spans_that_make_no_sense_are_counted(receiver: OtlpReceiver, tmp_path: Path, more: dict[str, Any]) -> None:
    assert post(receiver, as_json(**more), JSON) == 200
    found = received(receiver, tmp_path)
    assert not found.spans
    assert found.received.invalid == 1


@pytest.mark.parametrize("url", ["http://[unset/", "http://vendor:port/", "//[", "\x00"])
def test_a_malformed_url_costs_no_span_of_its_batch(receiver: OtlpReceiver, tmp_path: Path, url: str) -> None:
    called = [{"key": "url.full", "value": {"stringValue": url}}]
    assert post(receiver, as_json(count=2, attributes=called), JSON) == 200
    assert [span.kind for span in received(receiver, tmp_path).spans] == ["downstream"] * 2


def test_a_run_keeps_a_limited_number_of_spans(
    receiver: OtlpReceiver, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(otlp_receiver, "MOST_SPANS", 250)
    for _ in range(20):
        assert post(receiver, as_protobuf(count=100)) == 200
    found = received(receiver, tmp_path)
    assert (len(found.spans), found.received.over_limit) == (200, 1_800)


def test_invalid_http_and_clients_that_hang_disturb_no_other_client(receiver: OtlpReceiver, tmp_path: Path) -> None:
    hanging = socket.create_connection((receiver.host, receiver.port))
    hanging.sendall(b"POST /v1/traces HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n")
    with socket.create_connection((receiver.host, receiver.port)) as peer:
        peer.sendall(b"\x16\x03\x01\x02\x00 a TLS greeting")
        peer.settimeout(20)
        assert peer.recv(100)[:12] in (b"HTTP/1.1 400", b"")
    assert post(receiver, as_protobuf()) == 200
    began = time.monotonic()
    assert len(received(receiver, tmp_path).spans) == 1
    assert time.monotonic() - began < 9  # its body would be waited for for 10 s
    hanging.close()


def test_text_that_is_not_unicode_is_kept_readable(receiver: OtlpReceiver, tmp_path: Path) -> None:
    assert post(receiver, as_json(statement="SELECT a\\ud800b", name="\ud800"), JSON) in (200, 400)
    assert post(receiver, as_json(), JSON) == 200
    assert received(receiver, tmp_path).spans

"""Reads OTLP exports of traces (protobuf or JSON) as :class:`~harness.record.spans.Span`.

What a span is about follows from the semantic conventions, those before 2025 (``db.statement``) and after
(``db.query.text``). Of its attributes only what the analysis needs is kept, and of statements never the values.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

from harness.record.redaction import redacted
from harness.record.spans import Span, SpanKind
from harness.record.statements import command, normalised

_CACHES = frozenset({"redis", "memcached", "valkey", "dragonfly", "keydb", "hazelcast", "elasticache"})
_DOCUMENTS = frozenset({"mongodb", "couchbase", "couchdb", "dynamodb", "aws.dynamodb", "elasticsearch", "opensearch"})
"""Databases whose statements are no SQL."""
_MYSQL = frozenset({"mysql", "mariadb"})
_WORD = 200
"""Characters of a name that are kept."""
_SERVER, _CLIENT = 2, 3
_FAILED = 2
_LATEST_NS = 1 << 62
_LONGEST_NS = 24 * 3600 * 10**9
_IDS = {"traceId": 16, "spanId": 8, "parentSpanId": 8}


class InvalidExportError(ValueError):
    """The body of a request is not an export of traces."""


def read_protobuf(body: bytes) -> Any:
    """The ``ExportTraceServiceRequest`` in ``body``. Raises :class:`InvalidExportError`."""
    from google.protobuf.message import DecodeError
    from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

    try:
        return ExportTraceServiceRequest.FromString(body)
    except DecodeError as error:
        raise InvalidExportError(str(error)) from error


def read_json(body: bytes) -> Any:
    """As :func:`read_protobuf`, from OTLP's JSON, in which ids are hexadecimal."""
    from google.protobuf.json_format import ParseDict, ParseError
    from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

    try:
        data = json.loads(body, object_hook=_with_ids)
        return ParseDict(data, ExportTraceServiceRequest(), ignore_unknown_fields=True)
    except (ParseError, ValueError, TypeError, RecursionError) as error:
        raise InvalidExportError(str(error)) from error


def _with_ids(fields: dict[str, Any]) -> dict[str, Any]:
    """Ids as protobuf's own JSON has bytes: in base64."""
    for name in _IDS:
        if isinstance(fields.get(name), str):
            fields[name] = base64.b64encode(bytes.fromhex(fields[name])).decode()
    return fields


def spans_of(export: Any) -> Iterator[Span | None]:
    """Its spans; None for each that makes no sense. Those of an ASGI server's messages are left out."""
    for of_resource in export.resource_spans:
        service = _word(_attributes(of_resource.resource.attributes).get("service.name", ""))
        for of_scope in of_resource.scope_spans:
            for span in of_scope.spans:
                attributes = _attributes(span.attributes)
                if "asgi.event.type" not in attributes:
                    yield _span(span, service, attributes)


def _span(span: Any, service: str, attributes: Mapping[str, Any]) -> Span | None:
    start_ns, end_ns = span.start_time_unix_nano, span.end_time_unix_nano
    if len(span.trace_id) != 16 or len(span.span_id) != 8 or len(span.parent_span_id) not in (0, 8):
        return None
    if not 0 < start_ns <= end_ns < _LATEST_NS or end_ns - start_ns > _LONGEST_NS:
        return None
    kind, text = _what(span.kind, span.name, attributes)
    return Span(
        trace=bytes(span.trace_id),
        span=bytes(span.span_id),
        parent=bytes(span.parent_span_id),
        start_ns=start_ns,
        end_ns=end_ns,
        kind=kind,
        failed=span.status.code == _FAILED,
        service=service,
        name=_word(normalised(span.name[:_WORD])) if kind in ("database", "pool") else _word(span.name),
        text=text,
    )


def _what(span_kind: int, name: str, attributes: Mapping[str, Any]) -> tuple[SpanKind, str]:
    """What the time of a span goes to, and the statement, command or service."""
    if span_kind == _SERVER:
        return "server", ""
    system = str(attributes.get("db.system.name") or attributes.get("db.system") or "").lower()
    if system:
        statement = str(attributes.get("db.query.text") or attributes.get("db.statement") or "")
        operation = str(attributes.get("db.operation.name") or attributes.get("db.operation") or "")
        if system in _CACHES:
            return "cache", command(statement or operation or name)
        if "connect" in name.lower() and not statement:
            return "pool", ""
        if system in _DOCUMENTS or not statement:
            target = attributes.get("db.collection.name") or attributes.get("db.mongodb.collection") or ""
            return "database", _word(f"{command(operation or name)} {target}")
        return "database", normalised(statement, double_quoted_values=system in _MYSQL)
    if span_kind == _CLIENT:
        return "downstream", _called(name, attributes)
    return "own", ""


def _called(name: str, attributes: Mapping[str, Any]) -> str:
    """The service that was called: its host, or what an RPC system names it."""
    try:
        address = urlsplit(str(attributes.get("url.full") or attributes.get("http.url") or ""))
        host, port = address.hostname, address.port
    except ValueError:
        host, port = None, None
    host = host or attributes.get("server.address") or attributes.get("net.peer.name") or attributes.get("rpc.service")
    port = port or attributes.get("server.port") or attributes.get("net.peer.port")
    if not host:
        return _word(name)
    method = attributes.get("http.request.method") or attributes.get("http.method") or ""
    return _word(f"{method} {host}{f':{port}' if port else ''}")


def _attributes(pairs: Any) -> dict[str, Any]:
    """Those with a single value."""
    found = {}
    for pair in pairs:
        kind = pair.value.WhichOneof("value")
        if kind in ("string_value", "int_value", "bool_value", "double_value"):
            found[pair.key] = getattr(pair.value, kind)
    return found


def _word(text: object) -> str:
    return redacted(" ".join(str(text)[:_WORD].split()))

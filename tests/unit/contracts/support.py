"""Small documents, and responses to check against them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from harness.contracts.checks import Checked, Contract
from harness.contracts.document import Document, read_document
from harness.record.sampled_responses import SampledResponse

Json = Any


def document(paths: Json, *, version: str = "3.1.0", **more: Json) -> Document:
    data = {"openapi": version, "info": {"title": "T", "version": "1"}, "paths": paths, **more}
    return read_document(json.dumps(data).encode(), "openapi.json")


def promising(schema: Json, *, version: str = "3.1.0", components: Json = None, headers: Json = None) -> Document:
    """A document of ``GET /things`` alone, whose 200 has that schema."""
    response = {"description": "", "content": {"application/json": {"schema": schema}}, "headers": headers or {}}
    more = {"components": {"schemas": components}} if components else {}
    return document({"/things": {"get": {"responses": {"200": response}}}}, version=version, **more)


def response(
    body: Json = None,
    *,
    method: str = "GET",
    path: str = "/things",
    status: int = 200,
    content_type: str | None = "application/json",
    headers: Mapping[str, str] | None = None,
    raw: bytes | None = None,
) -> SampledResponse:
    """A response as a worker would keep it."""
    lines = [f"Content-Type: {content_type}"] if content_type else []
    lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
    text = "\r\n".join(["HTTP/1.1 200 OK", *lines, "", ""])
    content = json.dumps(body).encode() if raw is None else raw
    return SampledResponse(0, 0, method, f"http://127.0.0.1:8000{path}", status, text.encode(), content)


def checked(against: Document, sampled: SampledResponse, *checks: str) -> Checked:
    contract = Contract(against, checks) if checks else Contract(against)
    return contract.check(sampled)


def found(against: Document, sampled: SampledResponse, *checks: str) -> list[tuple[str, str, str]]:
    """The breaches as (check, path, rule)."""
    return [(one.check, one.path, one.rule) for one in checked(against, sampled, *checks).breaches]

"""Checks responses against an OpenAPI document: operation, status, content type, headers, body."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from email.message import Message as Headers
from email.parser import BytesHeaderParser
from typing import NamedTuple
from urllib.parse import urlsplit

from harness.contracts.document import Document, Json
from harness.contracts.media_types import best, is_json, media_type
from harness.contracts.operations import HeaderPromise, Operation, Operations, ResponsePromise
from harness.contracts.schemas import SchemaBreach, Schemas, TooSlow, general_path
from harness.record.redaction import REDACTED, is_secret, redacted
from harness.record.sampled_responses import SampledResponse
from harness.record.strict_json import parse_json

CHECKS = ("operation", "status", "content-type", "headers", "body", "format")
"""What can be checked. ``format``: the formats that schemas of headers and bodies name, such as ``date-time``."""
_NO_BODY = (204, 205, 304)
_LONGEST_VALUE = 80
_PARSER = BytesHeaderParser()
_LOOPBACK = ("127.0.0.1", "::1", "localhost")


class FoundBreach(NamedTuple):
    """A breach. ``path`` is its place in general (``body.items[].price``), ``value`` what stood there, redacted."""

    check: str
    path: str
    rule: str
    problem: str
    value: str = ""


@dataclass
class Checked:
    """One response that was checked. ``skipped`` says why a part of it was not."""

    operation: Operation | None
    documented: str = ""
    """The key of the response in the document that it was checked against; empty: none."""
    media_type: str = ""
    breaches: list[FoundBreach] = field(default_factory=list)
    skipped: str = ""
    given_up: str = ""
    """What it took too much of: ``time``, ``memory``, or it made the validator ``crash``; empty: it was checked."""


class Contract:
    """A document, ready to check responses."""

    def __init__(
        self,
        document: Document,
        checks: Iterable[str] = CHECKS,
        base_path: str = "",
        origins: Iterable[str] = (),
        compiling: Callable[[str], None] = lambda _: None,
    ) -> None:
        """Compiles all schemas of responses. Raises :class:`HarnessError` with what is wrong with the document.

        ``origins`` are the URLs of the target; none: whoever responds has promised this. ``compiling`` hears the place
        of each schema before it is compiled.
        """
        self.document = document
        self._origins = frozenset(map(_origin, origins))
        self.operations = Operations(document, base_path)
        self._checks = frozenset(checks)
        self._schemas = Schemas(document, formats="format" in self._checks)
        for promise in (promise for one in self.operations.all for promise in one.responses.values()):
            for pointer in (*promise.content.values(), *(header.schema for header in promise.headers)):
                if pointer is not None:
                    compiling(pointer)
                    self._schemas.validator(pointer)

    def is_of_target(self, response: SampledResponse) -> bool:
        """Whether the target has sent it: a scenario may also ask others, which have not promised anything."""
        return not self._origins or _origin(response.url) in self._origins

    def check(self, response: SampledResponse) -> Checked:
        """What is wrong with a response, by the checks that are on."""
        headers = _PARSER.parsebytes(response.headers.partition(b"\r\n")[2])
        content_type = str(headers.get("content-type", ""))
        operation = self.operations.find(response.method, response.url)
        checked = Checked(operation, media_type=media_type(content_type).name)
        if operation is None:
            problem = "the document has no such operation"
            self._add(checked, [FoundBreach("operation", "request", "missing", problem)])
            return checked
        promise = operation.response(response.status)
        if promise is None:
            problem = f"is not documented ({', '.join(operation.responses) or 'no status is'})"
            self._add(checked, [FoundBreach("status", "status", "missing", problem, str(response.status))])
            return checked
        checked.documented = promise.key
        try:
            self._add(checked, self._headers(promise, headers))
            self._add(checked, self._body(promise, response, content_type))
        except TooSlow:
            checked.skipped = "pattern"
        return checked

    def _add(self, checked: Checked, found: Iterable[FoundBreach]) -> None:
        checked.breaches += (one for one in found if one.check in self._checks)

    def _headers(self, promise: ResponsePromise, headers: Headers) -> Iterator[FoundBreach]:
        for header in promise.headers:
            path = f"header {header.name}"
            values = headers.get_all(header.name, [])
            if not values and header.required:
                yield FoundBreach("headers", path, "required", "is required and missing")
            elif values and header.schema is not None:
                text = ", ".join(map(str, values))
                for breach in self._header_breaches(header, text):
                    yield self._found("headers", path, breach, name=header.name)

    def _header_breaches(self, header: HeaderPromise, text: str) -> list[SchemaBreach]:
        """None if any reading of the text is valid: whether ``5`` is a number, only the schema knows."""
        assert header.schema is not None
        if header.is_json:
            try:
                readings = [parse_json(text)]
            except (ValueError, RecursionError):
                return [SchemaBreach((), "json", "is not JSON", text)]
        else:
            readings = _simple_readings(text)
        found = [list(self._schemas.breaches(header.schema, reading)) for reading in readings]
        # Of those that are wrong, one with a wrong format alone is meant.
        return [] if not all(found) else min(found, key=lambda breaches: not all(one.is_format for one in breaches))

    def _body(self, promise: ResponsePromise, response: SampledResponse, content_type: str) -> Iterator[FoundBreach]:
        if not promise.content or response.method == "HEAD" or response.status in _NO_BODY:
            return
        if response.body == b"" and not content_type:
            yield FoundBreach("body", "body", "required", "is empty")
            return
        key = best(promise.content, content_type)
        if key is None:
            problem = f"is not documented ({', '.join(promise.content)})"
            yield FoundBreach(
                "content-type", "header Content-Type", "missing", problem, redacted(content_type[:_LONGEST_VALUE])
            )
            return
        schema = promise.content[key]
        if response.body is None or schema is None:
            return
        if is_json(content_type):
            try:
                value = parse_json(response.body)
            except (ValueError, RecursionError):
                yield FoundBreach("body", "body", "json", "is not JSON")
                return
        elif content_type.strip().lower().startswith("text/"):
            value = response.body.decode("utf-8", "replace")
        else:
            return
        for breach in self._schemas.breaches(schema, value, only_formats="body" not in self._checks):
            yield self._found("body", "body", breach)

    def _found(self, check: str, place: str, breach: SchemaBreach, name: str = "") -> FoundBreach:
        below = general_path(breach.path)
        path = place + (f".{below}" if below and not below.startswith("[") else below)
        names = [name, *(key for key in breach.path if isinstance(key, str))]
        value = "" if breach.rule == "required" else _shown(breach.value, names)
        return FoundBreach("format" if breach.is_format else check, path, breach.rule, breach.problem, value)


def _origin(url: str) -> tuple[str, int | None]:
    """Host and port; all names of this machine are one host."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    port = parts.port or {"http": 80, "https": 443}.get(parts.scheme.lower())
    return ("localhost" if host in _LOOPBACK else host), port


def _shown(value: Json, names: Iterable[str]) -> str:
    """A value as JSON, short and without secrets; of a secret's name, nothing of it."""
    if any(map(is_secret, names)):
        return REDACTED
    try:
        text = redacted(json.dumps(value, ensure_ascii=False, default=str)[: 4 * _LONGEST_VALUE])
    except (ValueError, RecursionError):
        return ""
    return text if len(text) <= _LONGEST_VALUE else text[: _LONGEST_VALUE - 1] + "…"


def _simple_readings(text: str) -> list[Json]:
    """What a header's value may mean in the style ``simple``: a text, another scalar, a list of either."""
    parts = [part.strip() for part in text.split(",")]
    return [text, _scalar(text), parts, [_scalar(part) for part in parts]]


def _scalar(text: str) -> Json:
    try:
        value = parse_json(text)
    except (ValueError, RecursionError):  # a header may be the word NaN
        return text
    return text if isinstance(value, dict | list) else value

"""The operations of an OpenAPI document: which one a request calls, and its documented responses."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple
from urllib.parse import unquote, urlsplit

from harness.contracts.document import Document, Json, step
from harness.contracts.media_types import is_json
from harness.errors import HarnessError

_METHODS = ("get", "put", "post", "delete", "options", "head", "patch", "trace")
_PARAMETER = re.compile(r"\{[^{}]*\}")
_STATUS = re.compile(r"[1-5]\d\d|[1-5]XX|default", re.IGNORECASE)
_REMEMBERED = 4096
"""Paths whose operation is remembered: most requests of a run have few."""


class HeaderPromise(NamedTuple):
    """A header that a response may, or must, have. ``schema``: the place of its schema; None: any value."""

    name: str
    required: bool
    schema: str | None
    is_json: bool
    """Whether its value is JSON; otherwise it is in the style ``simple``."""


@dataclass(frozen=True)
class ResponsePromise:
    """What the document says of responses of one status."""

    key: str
    """``200``, ``4XX`` or ``default``."""
    content: Mapping[str, str | None]
    """The place of the schema by media type or range (``application/*``). Empty: bodies are not documented."""
    headers: Sequence[HeaderPromise]


@dataclass(frozen=True)
class Operation:
    """One method of one path."""

    method: str
    path: str
    """With its parameters: ``/items/{id}``."""
    responses: Mapping[str, ResponsePromise]

    def __str__(self) -> str:
        return f"{self.method} {self.path}"

    def response(self, status: int) -> ResponsePromise | None:
        """What is said of that status: by itself, by its range, or by default; None: nothing."""
        for key in (str(status), f"{status // 100}XX", "default"):
            if key in self.responses:
                return self.responses[key]
        return None


class _Route(NamedTuple):
    """A path with the base paths of its servers."""

    rank: tuple[bool, ...]
    """Lower ones are preferred: a literal is more specific than a parameter, from the left."""
    matches: re.Pattern[str]
    operations: Mapping[str, Operation]


class Operations:
    """All operations of a document. ``base_path`` is that of the target's own URL."""

    def __init__(self, document: Document, base_path: str = "") -> None:
        """Raises :class:`HarnessError` where the document is not of the form that OpenAPI asks for."""
        self.all: list[Operation] = []
        routes = []
        reader = _Reader(document)
        for path, operations, servers in reader.paths():
            self.all += operations.values()
            bases = list(dict.fromkeys([*map(_base_pattern, servers), re.escape(base_path.rstrip("/"))]))
            pattern = re.compile(f"(?:{'|'.join(bases)}){_path_pattern(path)}")
            rank = tuple(bool(_PARAMETER.search(segment)) for segment in path.split("/"))
            routes.append(_Route(rank, pattern, operations))
        # A stable sort: of templates that match alike, the first in the document wins.
        self._routes = sorted(routes, key=lambda route: route.rank)
        self._at = lru_cache(_REMEMBERED)(self._find)

    def find(self, method: str, url: str) -> Operation | None:
        """The operation that a request means; None if the document has none."""
        try:
            path = urlsplit(url).path
        except ValueError:  # half an IPv6 address
            return None
        return self._at(method.upper(), path)

    def _find(self, method: str, path: str) -> Operation | None:
        # An encoded slash is part of a parameter.
        plain = "/".join(unquote(segment).replace("/", "\N{REPLACEMENT CHARACTER}") for segment in path.split("/"))
        found = [route.operations for route in self._routes if route.matches.fullmatch(plain)]
        # Servers respond to HEAD wherever they respond to GET.
        for wanted in (method, *(["GET"] if method == "HEAD" else [])):
            for operations in found:
                if wanted in operations:
                    return operations[wanted]
        return None


def _base_pattern(server: str) -> str:
    """The path of a server's URL; it may be the one of another host than the target's."""
    path = re.sub(r"^(?:[^/]+:)?//[^/]*", "", server).partition("?")[0].rstrip("/")
    return _template_pattern(path if path.startswith("/") or not path else f"/{path}")


def _path_pattern(path: str) -> str:
    return _template_pattern(path if path.startswith("/") else f"/{path}")


def _template_pattern(template: str) -> str:
    """Each parameter but the last ends at the first match of what follows: to try other places could take for ever."""
    first, *literals = map(re.escape, _PARAMETER.split(template))
    return (
        first
        + "".join(f"(?>[^/]+?{literal})" for literal in literals[:-1])
        + "".join(f"[^/]+{literal}" for literal in literals[-1:])
    )


class _Reader:
    """Reads the parts of a document that say what operations respond."""

    def __init__(self, document: Document) -> None:
        self._document = document

    def paths(self) -> Iterator[tuple[str, dict[str, Operation], list[str]]]:
        """Each path with its operations by method, and the URLs of its servers."""
        at = "#/paths"
        if "paths" not in self._document.data:
            if self._document.draft == "3.1":  # it may hold webhooks or components only
                return
            raise HarnessError("contract-key-missing", where=self._document.where("#"), key="paths")
        for path in self._map(at):
            if path.startswith("x-"):
                continue
            if not path.startswith("/"):
                raise HarnessError("contract-path-invalid", where=self._document.where(step(at, path)), path=path)
            place, item = self._resolved(step(at, path))
            servers = self._servers(place, item) or self._servers("#", self._document.data)
            found = {}
            for method in _METHODS:
                if method in item:
                    found[method.upper()] = self._operation(method, path, step(place, method))
            yield path, found, servers or ["/"]

    def _operation(self, method: str, path: str, at: str) -> Operation:
        place, operation = self._resolved(at)
        if "responses" not in operation:
            if self._document.draft == "3.1":
                return Operation(method.upper(), path, {})
            raise HarnessError("contract-key-missing", where=self._document.where(place), key="responses")
        responses: dict[str, ResponsePromise] = {}
        for status in self._map(step(place, "responses")):
            if status.startswith("x-"):
                continue
            below = step(place, "responses", status)
            if not _STATUS.fullmatch(status):
                raise HarnessError("contract-status-invalid", where=self._document.where(below), status=status)
            key = status if status.lower() == "default" else status.upper()
            self._add(responses, key, self._response(key, below), step(place, "responses"))
        return Operation(method.upper(), path, responses)

    def _add(self, known: dict[str, Any], key: str, value: Any, at: str) -> None:
        """Two keys may differ only in upper and lower case, and only one would count."""
        if key in known:
            raise HarnessError("key-twice", where=self._document.where(at), key=key)
        known[key] = value

    def _response(self, key: str, at: str) -> ResponsePromise:
        place, response = self._resolved(at)
        content: dict[str, str | None] = {}
        for media_type in self._map(step(place, "content")) if "content" in response else ():
            below = step(place, "content", media_type)
            has_schema = "schema" in self._map(below)
            schema = step(below, "schema") if has_schema else None
            self._add(content, media_type.strip().lower(), schema, step(place, "content"))
        names = self._map(step(place, "headers")) if "headers" in response else {}
        headers = [self._header(name, step(place, "headers", name)) for name in names if name.lower() != "content-type"]
        return ResponsePromise(key, content, headers)

    def _header(self, name: str, at: str) -> HeaderPromise:
        place, header = self._resolved(at)
        if "schema" in header:
            return HeaderPromise(name, header.get("required") is True, step(place, "schema"), is_json=False)
        media_type = next(iter(self._map(step(place, "content"))), None) if "content" in header else None
        schema = None
        if media_type is not None and is_json(media_type):
            below = step(place, "content", media_type)
            schema = step(below, "schema") if "schema" in self._map(below) else None
        return HeaderPromise(name, header.get("required") is True, schema, is_json=True)

    def _servers(self, at: str, within: Mapping[str, Json]) -> list[str]:
        servers = within.get("servers", [])
        valid = isinstance(servers, list) and all(
            isinstance(server, dict) and isinstance(server.get("url"), str) for server in servers
        )
        if not valid:
            raise HarnessError("contract-servers-invalid", where=self._document.where(step(at, "servers")))
        return [server["url"] for server in servers]

    def _resolved(self, at: str) -> tuple[str, Mapping[str, Json]]:
        place, found = self._document.resolved(at)
        if not isinstance(found, dict):
            raise HarnessError("contract-not-a-map", where=self._document.where(place))
        return place, found

    def _map(self, at: str) -> Mapping[str, Json]:
        return self._resolved(at)[1]

"""Request headers: merged as in Locust, validated, and encoded once for all equal headers.

Most requests of a user class send the same headers to the same origin. Their encoded text is cached, so that a request
costs one look-up instead of a loop over its headers.
"""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Mapping
from importlib.metadata import version
from typing import Any, Final
from urllib.parse import unquote, urlsplit

from geventhttpclient.header import Headers

from harness.engine.http.origin import Origin

USER_AGENT = f"harness/{version('harness')}"
_MAX_CACHED = 4096
"""Entries of each cache. With more, such as a token per user, the oldest are dropped."""
is_token = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+").fullmatch
_is_value = re.compile(r"[\t\x20-\x7e\x80-\xff]*").fullmatch

FORM: Final = "application/x-www-form-urlencoded; charset=utf-8"
JSON: Final = "application/json"
TEXT: Final = "text/plain; charset=utf-8"
BYTES: Final = "application/octet-stream"

_process_caches: dict[tuple[Any, ...], RequestHeaderCache] = {}
"""One dictionary of caches for the process, because users of a class have the same settings."""

HeaderFields = Mapping[str, Any] | None
"""Headers of one request, as a scenario passes them. A list becomes one line per value. Pairs work, too."""


def basic_auth(username: str | bytes, password: str | bytes) -> str:
    """The value of ``Authorization`` for a user name and password (RFC 7617)."""
    user, secret = (part.encode("latin-1") if isinstance(part, str) else part for part in (username, password))
    return "Basic " + b64encode(user + b":" + secret).decode("ascii")


def split_credentials(url: str | None) -> tuple[str | None, str | None]:
    """A base URL without its user name and password, and these as a value of ``Authorization``."""
    if not url:
        return url, None
    parts = urlsplit(url)
    if not (parts.username and parts.password):
        return url, None
    bare = parts._replace(netloc=parts.netloc.rpartition("@")[2])
    return bare.geturl(), basic_auth(unquote(parts.username), unquote(parts.password))


class RequestHeaders:
    """Everything after the request target, except cookies and the length of the body."""

    def __init__(self, origin: Origin, fields: Headers) -> None:
        """Raises ``ValueError`` if a name or value cannot be sent."""
        self.fields = fields
        self.has_cookie = "cookie" in fields
        self.chunked = "chunked" in _joined(fields, "transfer-encoding")
        if self.chunked:
            fields.discard("content-length")
        self.has_length = "content-length" in fields
        self.expects_continue = "100-continue" in _joined(fields, "expect")
        self.closes_connection = "close" in _joined(fields, "connection")
        lines = [] if "host" in fields else [f"Host: {origin.authority}"]
        for name, value in fields.items():
            text = value if isinstance(value, str) else str(value)
            if not isinstance(name, str) or not is_token(name):
                raise ValueError(f"{name!r} is not a valid header name")
            if not _is_value(text):
                raise ValueError(f"{text!r} is not a valid value of the header {name}")
            lines.append(f"{name}: {text}")
        self.text = " HTTP/1.1\r\n" + "\r\n".join(lines) + "\r\n"


def _joined(fields: Headers, name: str) -> str:
    return ",".join(map(str, fields.getlist(name))).lower()


class RequestHeaderCache:
    """The headers of requests that share an origin, default headers and the credentials of the base URL."""

    def __init__(self, origin: Origin, defaults: Headers, authorization: str | None) -> None:
        self._origin = origin
        self._defaults = defaults.copy()
        self._authorization = authorization
        self._cached: dict[tuple[Any, ...], RequestHeaders] = {}
        self.default = self._build(None, None, None)
        """For requests without headers of their own and without a body."""

    @classmethod
    def for_session(cls, origin: Origin, defaults: Headers, authorization: str | None) -> RequestHeaderCache:
        """The cache of a session, which sessions with the same settings share."""
        key = origin, tuple(defaults.items()), tuple(map(str, defaults.values())), authorization
        cache = _process_caches.get(key)
        if cache is None:
            if len(_process_caches) >= _MAX_CACHED:
                _process_caches.pop(next(iter(_process_caches)))
            cache = _process_caches[key] = cls(origin, defaults, authorization)
        return cache

    def for_request(self, custom: HeaderFields, authorization: str | None, content_type: str | None) -> RequestHeaders:
        """The headers of one request; ``authorization`` comes from ``auth=`` and ``content_type`` from its body."""
        if not hasattr(custom, "items"):
            custom = dict(custom or ())  # from pairs, as in Locust
        # The key includes the text of each value: 1, True and 1.0 are equal, but sent differently.
        fields = (*custom.items(), *map(str, custom.values())) if custom else ()
        key = (content_type, authorization, *fields)
        try:
            headers = self._cached.get(key)
        except TypeError:  # a list is among the values
            return self._build(custom, authorization, content_type)
        if headers is None:
            headers = self._build(custom, authorization, content_type)
            if len(self._cached) >= _MAX_CACHED:
                self._cached.pop(next(iter(self._cached)))
            self._cached[key] = headers
        return headers

    def _build(self, custom: HeaderFields, authorization: str | None, content_type: str | None) -> RequestHeaders:
        """Merge as Locust's FastHttpSession and geventhttpclient do: later headers win, in any case."""
        fields = self._defaults.copy()
        fields.update(custom or {})
        names = {name.lower() for name in custom or ()}
        if authorization or self._authorization:
            fields["Authorization"] = authorization or self._authorization or ""
        if "accept-encoding" not in names:
            fields["Accept-Encoding"] = "gzip, deflate, br"
        if content_type == JSON:
            if "content-type" not in names:
                fields["Content-Type"] = JSON
            if "accept" not in names:
                fields["Accept"] = JSON
        elif content_type is not None and (content_type.startswith("multipart/") or "content-type" not in fields):
            fields["Content-Type"] = content_type
        return RequestHeaders(self._origin, fields)

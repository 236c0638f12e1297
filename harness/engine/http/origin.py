"""Splits a URL into its origin and its request target.

For a Unix socket, the host is the percent-encoded path of the socket: ``http+unix://%2Frun%2Fapp.sock/path``.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple
from urllib.parse import quote, unquote

from geventhttpclient.url import URL

UNIX = "http+unix"
SCHEMES = ("http", "https", UNIX)
_DEFAULT_PORTS = {"http": 80, "https": 443, UNIX: 0}

is_absolute = re.compile(r"(?:https?|http\+unix)://", re.IGNORECASE).match
is_plain_path = re.compile(r"/[A-Za-z0-9\-._~!$&'()*+,:=@/\[\]]*(?:\?[A-Za-z0-9\-._~!$&'()*+,;:=@/?\[\]]+)?\Z").match
"""Matches a path and query that need no encoding in a request line."""
_is_visible = re.compile(r"[!-~]+").fullmatch


class Origin(NamedTuple):
    """A server; connections are pooled by origin."""

    scheme: str
    host: str
    """An address without brackets, a DNS name, or the path of a Unix socket."""
    port: int

    @property
    def authority(self) -> str:
        """The value of ``Host``."""
        if self.scheme == UNIX:
            return "localhost"
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _DEFAULT_PORTS[self.scheme] else f"{host}:{self.port}"

    @property
    def url(self) -> str:
        """The URL of the origin, without a trailing slash."""
        return f"{self.scheme}://{quote(self.host, safe='') if self.scheme == UNIX else self.authority}"


@lru_cache(maxsize=1024)
def parse_url(url: str) -> tuple[Origin, str]:
    """The origin and the request target of an absolute URL. Raises ``ValueError`` if it is not one."""
    return split_url(URL(url))


def split_url(url: URL) -> tuple[Origin, str]:
    """Like :func:`parse_url`, for a parsed URL."""
    scheme = url.scheme.lower()
    if scheme not in SCHEMES:
        raise ValueError(f"{url} is not an http, https or http+unix URL")
    host = unquote(url.netloc) if scheme == UNIX else _encode_idna(url.host)
    if not host:
        raise ValueError(f"{url} has no host")
    port = 0 if scheme == UNIX else url.port
    target = url.quoted_uri
    if not target.startswith("/"):
        target = "/" + target
    return Origin(scheme, host, port or 0), target


def _encode_idna(host: str) -> str:
    """The ASCII form of a host name (RFC 3490), used in DNS and in ``Host``; empty if the name is invalid."""
    try:
        name = host.encode("idna").decode("ascii")
    except UnicodeError:  # a label is empty, or longer than 63 characters
        return ""
    return name if _is_visible(name) else ""

"""Where a request goes: the origin a URL names, and the target that the request line names there.

A Unix socket has its path, percent-encoded, in the place of a host: ``http+unix://%2Frun%2Fapp.sock/path``.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any, NamedTuple
from urllib.parse import quote, unquote

from geventhttpclient.url import URL

UNIX = "http+unix"
SCHEMES = ("http", "https", UNIX)
_DEFAULT_PORTS = {"http": 80, "https": 443, UNIX: 0}

is_absolute = re.compile(r"(?:https?|http\+unix)://", re.IGNORECASE).match
is_plain_path = re.compile(r"/[A-Za-z0-9\-._~!$&'()*+,:=@/\[\]]*(?:\?[A-Za-z0-9\-._~!$&'()*+,;:=@/?\[\]]+)?\Z").match
"""A path (and query) that stands in a request line as it is."""
_is_visible = re.compile(r"[!-~]+").fullmatch


class Origin(NamedTuple):
    """A server: what its connections are kept by."""

    scheme: str
    host: str
    """An address without brackets, or a name as the DNS has it; the file's path for a Unix socket."""
    port: int

    @property
    def authority(self) -> str:
        """As the ``Host`` field names it."""
        if self.scheme == UNIX:
            return "localhost"
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _DEFAULT_PORTS[self.scheme] else f"{host}:{self.port}"

    @property
    def url(self) -> str:
        """Of its root, without the slash."""
        return f"{self.scheme}://{quote(self.host, safe='') if self.scheme == UNIX else self.authority}"


@lru_cache(maxsize=1024)
def parse_url(url: str) -> tuple[Origin, str]:
    """The origin and the request target of an absolute URL; ``ValueError`` where it is none."""
    return split_url(URL(url))


def parse_url_with_params(url: str, params: Any) -> tuple[Origin, str]:
    """As :func:`parse`, with a query added: a mapping, pairs, or text."""
    return split_url(URL(url, params=params))


def split_url(url: URL) -> tuple[Origin, str]:
    """As :func:`parse`, of a parsed URL."""
    scheme = url.scheme.lower()
    if scheme not in SCHEMES:
        raise ValueError(f"{url} is no URL of http, https or http+unix")
    host = unquote(url.netloc) if scheme == UNIX else _dns_name(url.host)
    if not host:
        raise ValueError(f"{url} names no host")
    port = 0 if scheme == UNIX else url.port
    target = url.quoted_uri
    if not target.startswith("/"):
        target = "/" + target
    return Origin(scheme, host, port or 0), target


def _dns_name(host: str) -> str:
    """As it is looked for, and as a ``Host`` field has it (RFC 3490); empty where nothing can be called so."""
    try:
        name = host.encode("idna").decode("ascii")
    except UnicodeError:  # a label that is empty, or longer than 63 characters
        return ""
    return name if _is_visible(name) else ""

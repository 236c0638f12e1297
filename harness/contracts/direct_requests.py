"""Requests that reach the host of their URL, which the user has allowed, and no other."""

from __future__ import annotations

import ssl
from http.client import HTTPConnection, HTTPSConnection
from typing import Any
from urllib.parse import urlsplit
from urllib.request import HTTPRedirectHandler, HTTPSHandler, OpenerDirector, ProxyHandler, build_opener


class _NoRedirect(HTTPRedirectHandler):
    def redirect_request(self, *_: Any) -> None:
        """A redirect is an ``HTTPError``."""


def direct_opener() -> OpenerDirector:
    """Uses no proxy and follows no redirect."""
    return build_opener(ProxyHandler({}), HTTPSHandler(context=_unverified()), _NoRedirect)


def direct_connection(url: str, timeout_s: float) -> HTTPConnection:
    """A connection to the host of ``url``, not made yet. ``timeout_s`` is for each piece that comes."""
    parts = urlsplit(url)
    assert parts.hostname is not None
    if parts.scheme == "https":
        return HTTPSConnection(parts.hostname, parts.port, timeout=timeout_s, context=_unverified())
    return HTTPConnection(parts.hostname, parts.port, timeout=timeout_s)


def _unverified() -> ssl.SSLContext:
    """Verifies no certificate, like the users of the load: that of a target on this machine is seldom a real one."""
    return ssl._create_unverified_context()

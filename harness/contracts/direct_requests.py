"""Requests that reach the host of their URL, which the user has allowed, and no other."""

from __future__ import annotations

import ssl
from typing import Any
from urllib.request import HTTPRedirectHandler, HTTPSHandler, OpenerDirector, ProxyHandler, build_opener


class _NoRedirect(HTTPRedirectHandler):
    def redirect_request(self, *_: Any) -> None:
        """A redirect is an ``HTTPError``."""


def direct_opener() -> OpenerDirector:
    """Uses no proxy and follows no redirect.

    Like the users of the load, it verifies no certificate: that of a target on this machine is seldom a real one.
    """
    unverified = HTTPSHandler(context=ssl._create_unverified_context())
    return build_opener(ProxyHandler({}), unverified, _NoRedirect)

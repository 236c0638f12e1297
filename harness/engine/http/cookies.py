"""Cookies: ``http.cookiejar`` decides; what it decided is kept until the jar changes or a cookie expires.

Asking it takes some 30 µs a request, more than all the rest of one. A session has no jar until a server sets a cookie
or somebody asks for it.
"""

from __future__ import annotations

import time
from http.cookiejar import Cookie, CookieJar, DefaultCookiePolicy
from typing import Any, cast
from urllib.request import Request

from geventhttpclient.header import Headers
from requests.cookies import RequestsCookieJar

from harness.engine.http.origin import UNIX, Origin

_KEPT = 64
_NEVER = float("inf")


class CachingCookieJar(CookieJar):
    """A ``CookieJar`` whose :meth:`header` is quick; a cookie without a domain is its host's alone (RFC 6265, 5.3)."""

    def __init__(self) -> None:
        super().__init__(DefaultCookiePolicy(strict_ns_domain=DefaultCookiePolicy.DomainStrictNonDomain))
        self._headers: dict[tuple[Origin, str], str] = {}
        self._valid_until = _NEVER
        self._last_stored: tuple[Any, ...] | None = None

    def _changed(self) -> None:
        self._headers.clear()
        self._last_stored = None

    def set_cookie(self, cookie: Cookie) -> None:
        self._changed()
        super().set_cookie(cookie)

    def clear(self, domain: str | None = None, path: str | None = None, name: str | None = None) -> None:
        self._changed()
        super().clear(domain, path, name)

    def cookie_header(self, origin: Origin, target: str) -> str:
        """The value of ``Cookie`` for a request; empty: none is sent."""
        if self._headers and time.time() >= self._valid_until:
            self._headers.clear()
        key = origin, target
        header = self._headers.get(key)
        if header is None:
            header = self._headers.get((origin, ""))
        if header is None:
            header = self._build_header(origin, target)
            if len(self._headers) >= _KEPT:
                self._headers.clear()
            for_any_path = all(cookie.path == "/" for cookie in self)
            self._headers[(origin, "") if for_any_path else key] = header
        return header

    def _build_header(self, origin: Origin, target: str) -> str:
        request = _request(origin, target)
        # Before it is asked: it looks at whole seconds, but forgets by the exact time.
        self._valid_until = min((cookie.expires for cookie in self if cookie.expires is not None), default=_NEVER)
        self.add_cookie_header(request)
        return str(request.get_header("Cookie", ""))

    def store(self, headers: Headers, origin: Origin, target: str, *, is_redirect: bool) -> None:
        """Set what an answer's ``Set-Cookie`` fields say, as far as they may.

        Many servers say the same with every answer; within a second, to which expiry is counted, that changes nothing.
        """
        taken = headers.get_all("set-cookie"), origin, target, is_redirect, int(time.time())
        if taken == self._last_stored:
            return
        request = _request(origin, target)
        request.unverifiable = is_redirect
        self.extract_cookies(cast(Any, _HeadersOnlyResponse(headers)), request)
        self._last_stored = taken


def response_cookies(headers: Headers, origin: Origin, target: str) -> RequestsCookieJar:
    """The cookies that one answer sets, as ``requests`` shows them."""
    jar = RequestsCookieJar()
    jar.extract_cookies(cast(Any, _HeadersOnlyResponse(headers)), _request(origin, target))
    return jar


class _HeadersOnlyResponse:
    """The part of an answer that ``http.cookiejar`` asks for."""

    def __init__(self, headers: Headers) -> None:
        self._headers = headers

    def info(self) -> Headers:
        return self._headers


def _request(origin: Origin, target: str) -> Request:
    root = "http://localhost" if origin.scheme == UNIX else origin.url
    return Request(root + target)

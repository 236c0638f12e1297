"""A cookie jar that remembers which cookies go with a URL.

``http.cookiejar`` takes about 30 µs to choose the cookies of a request, longer than the client takes for all the rest.
Its choice is kept until the jar changes or a cookie expires.
"""

from __future__ import annotations

import time
from http.cookiejar import Cookie, CookieJar, DefaultCookiePolicy
from typing import Any, cast
from urllib.request import Request

from geventhttpclient.header import Headers
from requests.cookies import RequestsCookieJar

from harness.engine.http.origin import UNIX, Origin

_MAX_CACHED_HEADERS = 64
_MAX_COOKIES = 180
"""Cookies of one user; those stored first are dropped. RFC 6265, section 6.1, asks for 50 of a domain."""
_MAX_COOKIE_BYTES = 4096
_NEVER = float("inf")


class CachingCookieJar(CookieJar):
    """A ``CookieJar`` with a fast :meth:`cookie_header`.

    A cookie without a domain is sent only to the host that set it (RFC 6265, section 5.3).
    """

    def __init__(self) -> None:
        super().__init__(DefaultCookiePolicy(strict_ns_domain=DefaultCookiePolicy.DomainStrictNonDomain))
        self._headers: dict[tuple[Origin, str], str] = {}
        self._valid_until = _NEVER
        self._last_stored: tuple[Any, ...] | None = None

    def _invalidate(self) -> None:
        self._headers.clear()
        self._last_stored = None

    def set_cookie(self, cookie: Cookie) -> None:
        self._invalidate()
        if len(cookie.name) + len(cookie.value or "") > _MAX_COOKIE_BYTES:
            return
        super().set_cookie(cookie)
        for oldest in list(self)[:-_MAX_COOKIES]:
            super().clear(oldest.domain, oldest.path, oldest.name)

    def clear(self, domain: str | None = None, path: str | None = None, name: str | None = None) -> None:
        self._invalidate()
        super().clear(domain, path, name)

    def cookie_header(self, origin: Origin, target: str) -> str:
        """The value of ``Cookie`` for a request; empty if no cookie applies."""
        if self._headers and time.time() >= self._valid_until:
            self._headers.clear()
        key = origin, target
        header = self._headers.get(key)
        if header is None:
            header = self._headers.get((origin, ""))
        if header is None:
            header = self._build_header(origin, target)
            if len(self._headers) >= _MAX_CACHED_HEADERS:
                self._headers.clear()
            same_for_all_paths = all(cookie.path == "/" for cookie in self)
            self._headers[(origin, "") if same_for_all_paths else key] = header
        return header

    def _build_header(self, origin: Origin, target: str) -> str:
        request = _request(origin, target)
        # Computed first: add_cookie_header compares whole seconds, but then drops cookies by the exact time.
        self._valid_until = min((cookie.expires for cookie in self if cookie.expires is not None), default=_NEVER)
        self.add_cookie_header(request)
        return str(request.get_header("Cookie", ""))

    def store(self, headers: Headers, origin: Origin, target: str, *, is_redirect: bool) -> None:
        """Store the cookies of a response that the policy accepts.

        Many servers send the same cookies with every response. Within one second, the resolution of expiry times,
        storing them again would change nothing.
        """
        stored = headers.get_all("set-cookie"), origin, target, is_redirect, int(time.time())
        if stored == self._last_stored:
            return
        request = _request(origin, target)
        request.unverifiable = is_redirect
        self.extract_cookies(cast(Any, _HeadersOnlyResponse(headers)), request)
        self._last_stored = stored


def response_cookies(headers: Headers, origin: Origin, target: str) -> RequestsCookieJar:
    """The cookies that one response sets, in the jar of ``requests``."""
    jar = RequestsCookieJar()
    jar.extract_cookies(cast(Any, _HeadersOnlyResponse(headers)), _request(origin, target))
    return jar


class _HeadersOnlyResponse:
    """The part of a response that ``http.cookiejar`` reads."""

    def __init__(self, headers: Headers) -> None:
        self._headers = headers

    def info(self) -> Headers:
        return self._headers


def _request(origin: Origin, target: str) -> Request:
    root = "http://localhost" if origin.scheme == UNIX else origin.url
    return Request(root + target)

"""The request that a redirect asks for (RFC 9110, section 15.4; methods as Locust's FastHttpSession changes them)."""

from __future__ import annotations

from contextlib import suppress

from geventhttpclient.url import URL

from harness.engine.http.origin import UNIX, Origin, split_url
from harness.engine.http.prepared_request import PreparedRequest
from harness.engine.http.request_body import NO_BODY, RequestBody, rewind
from harness.engine.http.request_headers import RequestHeaders
from harness.engine.request_failures import RedirectRefused

REDIRECTS = frozenset({301, 302, 303, 307, 308})
_KEEPS_METHOD = frozenset({307, 308})
_OF_BODY = ("content-length", "content-type", "content-encoding", "transfer-encoding", "expect")
_OF_ORIGIN = ("authorization", "proxy-authorization", "host")


def build_redirect_request(prepared: PreparedRequest, status: int, location: str, first: Origin) -> PreparedRequest:
    """The next request; cookies are the jar's to add. ``first`` is the origin that the scenario named.

    What another origin must not see, credentials before all, is not sent there. Raises :class:`RedirectRefused`.
    """
    with suppress(UnicodeError):  # Latin-1, as headers are read; but most servers send UTF-8
        location = location.encode("latin-1").decode()
    try:
        url = URL(prepared.origin.url + prepared.target).redirect(location)
        origin, target = split_url(url)
    except ValueError:
        raise RedirectRefused("to what is no URL of http or https") from None
    if origin.scheme == UNIX and origin != prepared.origin:
        raise RedirectRefused("to a Unix socket")
    fields = prepared.headers.fields.copy()
    method, body = prepared.method, prepared.body
    dropped: tuple[str, ...] = ("cookie", "cookie2")
    if status not in _KEEPS_METHOD:
        method = "HEAD" if method == "HEAD" else "GET"
        body = NO_BODY
        dropped += _OF_BODY
    elif body.chunks is not None:
        body = _replayed_body(body)
    if origin != first:
        dropped += _OF_ORIGIN
    for name in dropped:
        fields.discard(name)
    return PreparedRequest(method, str(url), origin, target, RequestHeaders(origin, fields), body)


def _replayed_body(body: RequestBody) -> RequestBody:
    again = rewind(body)
    if again is None:
        raise RedirectRefused("its body cannot be sent a second time")
    return again

"""Follows redirects (RFC 9110, section 15.4), changing methods as Locust's ``FastHttpSession`` does."""

from __future__ import annotations

from contextlib import suppress

from geventhttpclient.url import URL

from harness.engine.http.origin import UNIX, Origin, split_url
from harness.engine.http.prepared_request import PreparedRequest
from harness.engine.http.request_body import NO_BODY, rewind
from harness.engine.http.request_headers import RequestHeaders
from harness.engine.request_failures import RedirectRefused
from harness.messages import message

REDIRECTS = frozenset({301, 302, 303, 307, 308})
_KEEPS_METHOD = frozenset({307, 308})
_BODY_HEADERS = ("content-length", "content-type", "content-encoding", "transfer-encoding", "expect")
_ORIGIN_HEADERS = ("authorization", "proxy-authorization", "host")


def build_redirect_request(
    request: PreparedRequest, status: int, location: str, first_origin: Origin
) -> PreparedRequest:
    """The request that follows a redirect, without cookies.

    ``first_origin`` is that of the scenario's request; credentials are sent to no other. Raises
    :class:`RedirectRefused`.
    """
    with suppress(UnicodeError):  # headers are decoded as Latin-1, but most servers send UTF-8
        location = location.encode("latin-1").decode()
    try:
        url = URL(request.origin.url + request.target).redirect(location)
        origin, target = split_url(url)
    except ValueError:
        raise RedirectRefused(message("redirect-invalid-url")) from None
    if origin.scheme == UNIX and origin != request.origin:
        raise RedirectRefused(message("redirect-to-unix-socket"))
    fields = request.headers.fields.copy()
    method, body = request.method, request.body
    dropped: tuple[str, ...] = ("cookie", "cookie2")
    if status not in _KEEPS_METHOD:
        method = "HEAD" if method == "HEAD" else "GET"
        body = NO_BODY
        dropped += _BODY_HEADERS
    elif body.chunks is not None:
        rewound = rewind(body)
        if rewound is None:
            raise RedirectRefused(message("redirect-body-not-replayable"))
        body = rewound
    if origin != first_origin:
        dropped += _ORIGIN_HEADERS
    for name in dropped:
        fields.discard(name)
    traceparent = request.traceparent if origin == first_origin else ""
    return PreparedRequest(
        method, str(url), origin, target, RequestHeaders(origin, fields), body, traceparent=traceparent
    )

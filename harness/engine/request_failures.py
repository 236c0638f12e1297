"""Why a request failed without a usable response, as one exception class and one short text per kind.

A response with an error status is none of these: it fails with Locust's ``LocustBadStatusCode``.
"""

# ruff: noqa: N818  (outcomes of requests, not errors of the program)
from __future__ import annotations

from collections.abc import Mapping

from harness.messages import Message
from harness.record.journal_entries import HOST_NOT_ALLOWED

INTERRUPTED = "interrupted: the user was stopped before the response arrived"
_MAX_EXCEPTIONS_SEARCHED = 30
"""Exceptions may be nested deeply, and by mistake in a circle."""


class RequestInterrupted(Exception):
    """The user was stopped while its request was in flight; the request is recorded as failed."""

    def __str__(self) -> str:
        return INTERRUPTED


class RequestFailure(ConnectionError):
    """A request that got no complete, readable response.

    ``kind`` identifies the failure and never changes; the text is made from it and from ``params``. The text contains
    nothing that differs from request to request, because reports group failures by it. Refused connections, unknown
    hosts and TLS errors keep the exceptions that Python raises for them.
    """

    kind: str

    def __init__(self, text: Message | None = None, **params: object) -> None:
        text = text or Message(self.kind, params)
        self.kind = text.code
        self.params: Mapping[str, object] = text.params
        super().__init__(str(text))

    @property
    def original(self) -> RequestFailure:
        """The failure itself, which geventhttpclient wraps in another one when it has given up."""
        return self


class ConnectTimeout(RequestFailure, TimeoutError):
    """No connection could be established within ``connection_timeout``."""

    kind = "connect-timeout"


class ResponseTimeout(RequestFailure, TimeoutError):
    """Nothing could be sent or received for ``network_timeout``."""

    kind = "response-timeout"


class ResponseTooSlow(RequestFailure, TimeoutError):
    """Bytes arrived, but the response was not complete within ``exchange_timeout``."""

    kind = "response-too-slow"


class ConnectionReset(RequestFailure, ConnectionResetError):
    """The server reset the connection."""

    kind = "connection-reset"


class ConnectionClosed(RequestFailure):
    """The server closed the connection without sending anything."""

    kind = "connection-closed"


class TruncatedResponse(RequestFailure):
    """The connection ended in the middle of a response."""

    kind = "truncated-response"


class MalformedResponse(RequestFailure):
    """The response is not valid HTTP/1.1, or its body does not match its content coding."""


class HeadersTooLarge(RequestFailure):
    """The response headers are longer than ``max_header_bytes``."""

    kind = "headers-too-large"


class ResponseTooLarge(RequestFailure):
    """The response, or its decoded body, is longer than ``max_response_bytes``."""

    kind = "response-too-large"


class HostNotAllowed(RequestFailure):
    """A request, a redirect or any other socket of a worker would connect to a host that the user has not allowed."""

    kind = HOST_NOT_ALLOWED


class TooManyRedirects(RequestFailure):
    """The server redirected more than ``max_redirects`` times."""

    kind = "too-many-redirects"


class RedirectRefused(RequestFailure):
    """A redirect that cannot be followed."""


class TunnelRefused(RequestFailure):
    """The proxy responded to CONNECT with a status other than 2xx."""

    kind = "tunnel-refused"


def find_host_not_allowed(error: BaseException) -> HostNotAllowed | None:
    """The :class:`HostNotAllowed` inside ``error``, which each HTTP library wraps in its own way."""
    queue, searched = [error], 0
    while queue and searched < _MAX_EXCEPTIONS_SEARCHED:
        current = queue.pop(0)
        if isinstance(current, HostNotAllowed):
            return current
        searched += 1
        previous = current.__cause__ or (None if current.__suppress_context__ else current.__context__)
        grouped = current.exceptions if isinstance(current, BaseExceptionGroup) else ()
        # urllib3 and urllib keep it as ``reason``, requests in ``args``, anyio in a group. As an attribute, it might be
        # computed by the scenario's class, which may raise anything.
        inside = (previous, vars(current).get("reason"), *current.args, *grouped)
        queue += [other for other in inside if isinstance(other, BaseException)]
    return None

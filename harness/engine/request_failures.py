"""How a request can fail without an answer to judge: one short text a kind, so that failures of a kind group.

A status that says failure is none of these: it is Locust's ``LocustBadStatusCode``.
"""

# ruff: noqa: N818  (outcomes of requests, not errors of the program)
from __future__ import annotations

HOST_NOT_ALLOWED = "host not allowed: "
"""How the text of :class:`HostNotAllowed` begins."""
_MOST_LOOKED_AT = 30
"""Exceptions that one may hold in one another, or by mistake itself."""
INTERRUPTED = "interrupted: its user was removed before the answer came"


class RequestInterrupted(Exception):
    """A user was removed while its request was under way; the request is recorded as failed with this."""

    def __str__(self) -> str:
        return INTERRUPTED


class RequestFailure(ConnectionError):
    """A request that got no whole, readable answer. Its text names the kind, and nothing that differs by request.

    Refused connections, unknown hosts, TLS errors and the like stay what Python raises for them.
    """


class ConnectTimeout(RequestFailure, TimeoutError):
    """No connection came about in ``connection_timeout``."""

    def __init__(self, limit_s: float) -> None:
        super().__init__(f"no connection within {limit_s:g} s")


class ResponseTimeout(RequestFailure, TimeoutError):
    """Nothing came, or could be sent, for ``network_timeout``."""

    def __init__(self, limit_s: float) -> None:
        super().__init__(f"no answer within {limit_s:g} s")


class ResponseTooSlow(RequestFailure, TimeoutError):
    """Bytes came, but the answer was not complete in ``exchange_timeout``."""

    def __init__(self, limit_s: float) -> None:
        super().__init__(f"answer not complete within {limit_s:g} s")


class ConnectionReset(RequestFailure, ConnectionResetError):
    """The server ended the connection by a reset."""

    def __init__(self) -> None:
        super().__init__("connection reset")


class ConnectionClosed(RequestFailure):
    """The server closed the connection and had sent nothing."""

    def __init__(self) -> None:
        super().__init__("closed without an answer")


class TruncatedResponse(RequestFailure):
    """The connection ended in the middle of an answer."""

    def __init__(self) -> None:
        super().__init__("truncated answer")


class MalformedResponse(RequestFailure):
    """What came is not HTTP/1.1, or its body is not coded as its head says."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"malformed answer: {reason}")


class HeadersTooLarge(RequestFailure):
    """The answer's head is longer than ``max_header_bytes``."""

    def __init__(self) -> None:
        super().__init__("headers too large")


class ResponseTooLarge(RequestFailure):
    """The answer, or its decoded body, is longer than ``max_answer_bytes``."""

    def __init__(self) -> None:
        super().__init__("answer too large")


class HostNotAllowed(RequestFailure):
    """A connection to a host that the user has not allowed, by a request, its redirect, or any socket of a worker."""

    def __init__(self, host: str) -> None:
        hint = f'to load it, add "{host}" to allowed_hosts under [tool.harness] in pyproject.toml'
        super().__init__(f"{HOST_NOT_ALLOWED}{host} ({hint})")


class TooManyRedirects(RequestFailure):
    """More redirects than ``max_redirects``."""

    def __init__(self, limit: int) -> None:
        super().__init__(f"more than {limit} redirects")


class RedirectRefused(RequestFailure):
    """A redirect to what is no HTTP URL, or one whose body cannot be sent again."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"redirect refused: {reason}")


class TunnelRefused(RequestFailure):
    """The proxy answered CONNECT with another status than 2xx."""

    def __init__(self, status: int) -> None:
        super().__init__(f"the proxy answered CONNECT with {status}")


def find_host_not_allowed(error: BaseException) -> HostNotAllowed | None:
    """The :class:`HostNotAllowed` that a client has wrapped in an exception of its own, as each does in another way."""
    waiting, looked_at = [error], 0
    while waiting and looked_at < _MOST_LOOKED_AT:
        one = waiting.pop(0)
        if isinstance(one, HostNotAllowed):
            return one
        looked_at += 1
        before = one.__cause__ or (None if one.__suppress_context__ else one.__context__)
        several = one.exceptions if isinstance(one, BaseExceptionGroup) else ()
        # urllib3 and urllib tell it as ``reason``, requests in ``args``, anyio in a group.
        inside = (before, getattr(one, "reason", None), *one.args, *several)
        waiting += [other for other in inside if isinstance(other, BaseException)]
    return None

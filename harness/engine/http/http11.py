"""HTTP/1.1: sends one request over a connection and receives its response, within the limits."""

from __future__ import annotations

from collections.abc import Iterable
from time import perf_counter

from harness.engine.http.client_settings import ClientSettings
from harness.engine.http.connection import Connection, WaitTimeout
from harness.engine.http.response_parser import ResponseParser
from harness.engine.request_failures import (
    ConnectionClosed,
    ConnectionReset,
    RequestFailure,
    ResponseTimeout,
    ResponseTooLarge,
    ResponseTooSlow,
)

_READS_BEFORE_YIELD = 16
"""After this many reads of a response that arrives without pause, other greenlets run."""
_CONTINUE_WAIT_S = 1.0
"""How long a body waits for ``100 Continue``, which servers need not send (RFC 9110, section 10.1.1)."""
_TIMER_SLACK_S = 0.01
"""A timer may fire this early, because the event loop has its own clock."""


class RequestNotSent(ConnectionReset):
    """The connection was closed before the first byte of the request was sent."""


def handle_request(
    connection: Connection,
    parser: ResponseParser,
    data: bytes,
    chunks: Iterable[bytes] | None,
    settings: ClientSettings,
    started_s: float,
    *,
    expects_continue: bool,
) -> None:
    """Send a request and receive the response headers, and with most responses all of the body.

    ``data`` is the encoded request, and ``chunks`` the rest of its body, if any. ``started_s`` is when the exchange
    began (``perf_counter``), including redirects and retries. If ``parser`` is not complete afterwards,
    :func:`receive_response` receives the rest. Raises :class:`RequestFailure`; ``parser`` keeps what has arrived.
    """
    deadline_s = started_s + settings.exchange_timeout
    try:
        sent = connection.send(data, deadline_s)
        sent_all = sent == len(data)
        if chunks is not None and sent_all:
            if expects_continue and _final_response_received(connection, parser):
                sent_all = False
            else:
                sent_all = _send_request_body(connection, chunks, deadline_s)
        if not sent_all:
            # The server may have responded before it closed the connection, or before it read the body.
            parser.forbid_reuse()
    except WaitTimeout:
        raise timeout_failure(settings, started_s) from None
    try:
        if not parser.received:
            receive_data(connection, parser, settings, started_s)  # most responses arrive in one piece
        receive_headers(connection, parser, settings, started_s)
    except (ConnectionClosed, ConnectionReset):
        if sent_all or parser.received:
            raise
        raise (ConnectionReset if sent else RequestNotSent) from None


def _send_request_body(connection: Connection, chunks: Iterable[bytes], deadline_s: float) -> bool:
    """Send ``chunks``. Returns whether the server accepted all of them."""
    for chunk in chunks:
        if perf_counter() >= deadline_s:
            raise WaitTimeout
        if connection.send(chunk, deadline_s) < len(chunk):
            return False
    return True


def _final_response_received(connection: Connection, parser: ResponseParser) -> bool:
    """Whether the server responds without the body, instead of sending ``100 Continue`` or nothing."""
    while not parser.interim_responses:
        try:
            data = connection.receive(_CONTINUE_WAIT_S)
        except WaitTimeout:
            return False
        if not data:
            return True
        parser.feed(data)
        if parser.status:
            return True
    return False


def receive_headers(connection: Connection, parser: ResponseParser, settings: ClientSettings, started_s: float) -> None:
    """Receive the rest of the response headers, after a part of the response."""
    if parser.received > settings.max_response_bytes:
        raise ResponseTooLarge
    if not parser.raw_headers:
        receive_response(connection, parser, settings, started_s, headers_only=True)


def receive_response(
    connection: Connection,
    parser: ResponseParser,
    settings: ClientSettings,
    started_s: float,
    *,
    headers_only: bool = False,
) -> None:
    """Receive until the response is complete, or with ``headers_only`` its headers are."""
    reads = 0
    while not (parser.complete or (headers_only and parser.raw_headers)):
        reads += 1
        receive_data(connection, parser, settings, started_s, pause=reads % _READS_BEFORE_YIELD == 0)
        if parser.received > settings.max_response_bytes:
            raise ResponseTooLarge
        if not headers_only:
            parser.bound_memory()


def receive_data(
    connection: Connection, parser: ResponseParser, settings: ClientSettings, started_s: float, *, pause: bool = False
) -> None:
    """Receive what has arrived, or wait for it. With ``pause``, other greenlets run first."""
    try:
        left_s = settings.exchange_timeout - (perf_counter() - started_s)
        if left_s <= 0:
            raise ResponseTooSlow(limit_s=settings.exchange_timeout)
        # The first bytes have hardly arrived yet, so wait before reading.
        data = connection.receive(left_s) if pause or not parser.received else connection.receive_more(left_s)
    except WaitTimeout:
        raise timeout_failure(settings, started_s) from None
    if data:
        parser.feed(data)
    else:
        parser.feed_eof()


def timeout_failure(settings: ClientSettings, started_s: float) -> RequestFailure:
    """The failure of a request whose time limit is over."""
    if perf_counter() - started_s >= settings.exchange_timeout - _TIMER_SLACK_S:
        return ResponseTooSlow(limit_s=settings.exchange_timeout)
    return ResponseTimeout(limit_s=settings.network_timeout)

"""One request out, one answer in, over one connection, within the limits."""

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
"""So many reads of an answer that comes in without a pause; then the other users have a turn."""
_CONTINUE_WAIT_S = 1.0
"""How long a body is held back for ``100 Continue``; a server need not send it (RFC 9110, section 10.1.1)."""


_TIMER_SLACK_S = 0.01
"""A timer may go off this much early: the event loop has a clock of its own."""


class RequestNotSent(ConnectionReset):
    """The connection was gone before the first byte of the request."""


def handle_request(
    connection: Connection,
    parser: ResponseParser,
    request: bytes,
    parts: Iterable[bytes] | None,
    settings: ClientSettings,
    started_s: float,
    *,
    expects_continue: bool = False,
) -> None:
    """Send the request (its head and body, or its head and then ``parts``); read until the answer's head is complete.

    ``started_s`` is when the whole exchange began (``perf_counter``). Most answers are complete with their head; of
    others :func:`receive_response` reads the rest. Raises :class:`RequestFailure`; ``parser`` knows how far it came.
    """
    deadline_s = started_s + settings.exchange_timeout
    try:
        sent = connection.send(request, deadline_s)
        sent_all = sent == len(request)
        if parts is not None and sent_all:
            if expects_continue and _final_response_received(connection, parser):
                sent_all = False
            else:
                sent_all = _send_request_body(connection, parts, deadline_s)
        if not sent_all:
            # Ended by the server, or answered before the body was sent: perhaps its answer can be read.
            parser.forbid_reuse()
    except WaitTimeout:
        raise _timeout_failure(settings, started_s) from None
    try:
        if not parser.received:
            receive_data(connection, parser, settings, started_s)  # most answers come in one piece
        if parser.received > settings.max_answer_bytes:
            raise ResponseTooLarge
        if not parser.raw_headers:
            receive_response(connection, parser, settings, started_s, head_only=True)
    except (ConnectionClosed, ConnectionReset):
        if sent_all or parser.received:
            raise
        raise (ConnectionReset if sent else RequestNotSent) from None


def _send_request_body(connection: Connection, parts: Iterable[bytes], deadline_s: float) -> bool:
    """Whether all was sent."""
    for part in parts:
        if perf_counter() >= deadline_s:
            raise WaitTimeout
        if connection.send(part, deadline_s) < len(part):
            return False
    return True


def _final_response_received(connection: Connection, parser: ResponseParser) -> bool:
    """Whether the server answers without having seen the body; after ``100 Continue``, or silence, it does not."""
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


def receive_response(
    connection: Connection,
    parser: ResponseParser,
    settings: ClientSettings,
    started_s: float,
    *,
    head_only: bool = False,
) -> None:
    """Read until the answer (with ``head_only``: its head) is complete."""
    reads = 0
    while not (parser.complete or (head_only and parser.raw_headers)):
        reads += 1
        receive_data(connection, parser, settings, started_s, pause=reads % _READS_BEFORE_YIELD == 0)
        if parser.received > settings.max_answer_bytes:
            raise ResponseTooLarge


def receive_data(
    connection: Connection, parser: ResponseParser, settings: ClientSettings, started_s: float, *, pause: bool = False
) -> None:
    """Read what there is, or what comes next; with ``pause`` others have a turn before."""
    try:
        left_s = settings.exchange_timeout - (perf_counter() - started_s)
        if left_s <= 0:
            raise ResponseTooSlow(settings.exchange_timeout)
        # The first bytes can hardly be there yet.
        data = connection.receive(left_s) if pause or not parser.received else connection.receive_more(left_s)
    except WaitTimeout:
        raise _timeout_failure(settings, started_s) from None
    if data:
        parser.feed(data)
    else:
        parser.feed_eof()


def _timeout_failure(settings: ClientSettings, started_s: float) -> RequestFailure:
    if perf_counter() - started_s >= settings.exchange_timeout - _TIMER_SLACK_S:
        return ResponseTooSlow(settings.exchange_timeout)
    return ResponseTimeout(settings.network_timeout)

"""One request out, one answer in, over one connection, within the limits."""

from __future__ import annotations

from collections.abc import Iterable
from time import perf_counter

from harness.engine.failures import (
    AnswerTooLarge,
    AnswerTooSlow,
    ConnectionClosed,
    ConnectionReset,
    NoAnswer,
    RequestFailure,
)
from harness.engine.http.connection import Connection, WaitTooLong
from harness.engine.http.response_parser import ResponseParser
from harness.engine.http.settings import Settings

_READS_BEFORE_A_TURN = 16
"""So many reads of an answer that comes in without a pause; then the other users have a turn."""
_CONTINUE_WAIT_S = 1.0
"""How long a body is held back for ``100 Continue``; a server need not send it (RFC 9110, section 10.1.1)."""


_TIMER_SLACK_S = 0.01
"""A timer may go off this much early: the event loop has a clock of its own."""


class NothingSent(ConnectionReset):
    """The connection was gone before the first byte of the request."""


def exchange(
    connection: Connection,
    reader: ResponseParser,
    request: bytes,
    parts: Iterable[bytes] | None,
    settings: Settings,
    begun_s: float,
    *,
    expects_continue: bool = False,
) -> None:
    """Send the request (its head and body, or its head and then ``parts``); read until the answer's head is complete.

    ``begun_s`` is when the whole exchange began (``perf_counter``). Most answers are complete with their head; of
    others :func:`read_on` reads the rest. Raises :class:`RequestFailure`; ``reader`` tells how far the answer came.
    """
    until_s = begun_s + settings.exchange_timeout
    try:
        whole = connection.send(request, until_s)
        sent_all = whole == len(request)
        if parts is not None and sent_all:
            if expects_continue and _final_answer_came(connection, reader):
                sent_all = False
            else:
                sent_all = _send_parts(connection, parts, until_s)
        if not sent_all:
            # Ended by the server, or answered before the body was sent: perhaps its answer can be read.
            reader.last()
    except WaitTooLong:
        raise _too_late(settings, begun_s) from None
    try:
        if not reader.received:
            read_part(connection, reader, settings, begun_s)  # most answers come in one piece
        if reader.received > settings.max_answer_bytes:
            raise AnswerTooLarge
        if not reader.head:
            read_on(connection, reader, settings, begun_s, head_only=True)
    except (ConnectionClosed, ConnectionReset):
        if sent_all or reader.received:
            raise
        raise (ConnectionReset if whole else NothingSent) from None


def _send_parts(connection: Connection, parts: Iterable[bytes], until_s: float) -> bool:
    """Whether all was sent."""
    for part in parts:
        if perf_counter() >= until_s:
            raise WaitTooLong
        if connection.send(part, until_s) < len(part):
            return False
    return True


def _final_answer_came(connection: Connection, reader: ResponseParser) -> bool:
    """Whether the server answers without having seen the body; after ``100 Continue``, or silence, it does not."""
    while not reader.interim:
        try:
            data = connection.receive(_CONTINUE_WAIT_S)
        except WaitTooLong:
            return False
        if not data:
            return True
        reader.feed(data)
        if reader.status:
            return True
    return False


def read_on(
    connection: Connection, reader: ResponseParser, settings: Settings, begun_s: float, *, head_only: bool = False
) -> None:
    """Read until the answer (with ``head_only``: its head) is complete."""
    reads = 0
    while not (reader.complete or (head_only and reader.head)):
        reads += 1
        read_part(connection, reader, settings, begun_s, pause=reads % _READS_BEFORE_A_TURN == 0)
        if reader.received > settings.max_answer_bytes:
            raise AnswerTooLarge


def read_part(
    connection: Connection, reader: ResponseParser, settings: Settings, begun_s: float, *, pause: bool = False
) -> None:
    """Read what there is, or what comes next; with ``pause`` others have a turn before."""
    try:
        left_s = settings.exchange_timeout - (perf_counter() - begun_s)
        if left_s <= 0:
            raise AnswerTooSlow(settings.exchange_timeout)
        # The first bytes can hardly be there yet.
        data = connection.receive(left_s) if pause or not reader.received else connection.receive_more(left_s)
    except WaitTooLong:
        raise _too_late(settings, begun_s) from None
    if data:
        reader.feed(data)
    else:
        reader.end()


def _too_late(settings: Settings, begun_s: float) -> RequestFailure:
    if perf_counter() - begun_s >= settings.exchange_timeout - _TIMER_SLACK_S:
        return AnswerTooSlow(settings.exchange_timeout)
    return NoAnswer(settings.network_timeout)

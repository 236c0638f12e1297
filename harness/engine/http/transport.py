"""From a request to its answer: connections, retries, cookies, redirects."""

from __future__ import annotations

from functools import lru_cache
from time import perf_counter
from typing import NamedTuple

from geventhttpclient.client import IDEMPOTENT_METHODS
from geventhttpclient.header import Headers
from locust.contrib.fasthttp import LocustBadStatusCode, LocustUserAgent

from harness.engine.failures import AnswerTooSlow, ConnectionClosed, ConnectionReset, RequestFailure, TooManyRedirects
from harness.engine.http.content import decoded
from harness.engine.http.cookies import Jar
from harness.engine.http.http11 import NothingSent, exchange, read_on
from harness.engine.http.pool import OriginPool, Pool
from harness.engine.http.prepared_request import PreparedRequest
from harness.engine.http.redirect import REDIRECTS, redirected
from harness.engine.http.response import Response
from harness.engine.http.response_parser import ResponseParser
from harness.engine.http.stream import BodyStream

_GOOD_STATUSES = LocustUserAgent.valid_response_codes


class RequestOptions(NamedTuple):
    """How a request is to be answered; :func:`wish_for` gives one."""

    kind: type[Response]
    stream: bool
    max_redirects: int
    max_retries: int


wish_for = lru_cache(maxsize=128)(RequestOptions)


class Transport:
    """One user's way to servers: the pool of its connections, and its cookies."""

    __slots__ = ("jar", "pool")

    def __init__(self, pool: Pool) -> None:
        self.pool = pool
        self.jar: Jar | None = None
        """None until a server sets a cookie, or a scenario asks for the jar."""

    def send(self, sent: PreparedRequest, lane: OriginPool, wish: RequestOptions, begun_s: float) -> Response:
        """The answer to ``sent``, or that to the last redirect from it.

        ``begun_s`` (``perf_counter``) is when all of it, redirects and retries included, began. What waits for its turn
        at a ceiling on the way has that much longer: the limit on an exchange is for the target.
        Raises :class:`OSError`, of which :class:`RequestFailure` is a kind, where none came.
        """
        begun = [begun_s]
        response = self._retried(sent, lane, wish, begun)
        if wish.max_redirects == 0 or response.status_code not in REDIRECTS:
            return response
        history: list[Response] = []
        first = sent.origin
        while response.status_code in REDIRECTS and response.error is None:
            location = response.headers.getlist("location") if response.headers is not None else []
            if len(location) != 1 or not location[0]:
                break
            if len(history) == wish.max_redirects:
                raise TooManyRedirects(wish.max_redirects)
            self._check_time(begun)
            history.append(response)
            sent = redirected(sent, response.status_code, location[0], first)
            lane = self.pool.lane(sent.origin)
            begun[0] += lane.take_turn()
            response = self._retried(sent, lane, wish, begun, is_redirected=True)
        response._history = history
        return response

    # Below, ``begun`` holds one number, for all parts of a request: when it began, later by each wait for a turn. It is
    # a list, as that is made in a third of an object's time: every request has one, and hardly any ever waits.

    def _check_time(self, begun: list[float]) -> None:
        """Before something is sent again."""
        limit_s = self.pool.settings.exchange_timeout
        if perf_counter() - begun[0] >= limit_s:
            raise AnswerTooSlow(limit_s)

    def _retried(
        self,
        sent: PreparedRequest,
        lane: OriginPool,
        wish: RequestOptions,
        begun: list[float],
        *,
        is_redirected: bool = False,
    ) -> Response:
        """Sent again as geventhttpclient does: only what timed out, and only what may be done twice."""
        retries = 0
        while True:
            try:
                return self._once(sent, lane, wish, begun, is_redirected)
            except TimeoutError:
                if retries >= wish.max_retries or sent.method not in IDEMPOTENT_METHODS or not sent.replayable:
                    raise
                self._check_time(begun)
                begun[0] += lane.take_turn()
                retries += 1

    def _once(
        self, sent: PreparedRequest, lane: OriginPool, wish: RequestOptions, begun: list[float], is_redirected: bool
    ) -> Response:
        settings = self.pool.settings
        if self.jar is not None and not sent.head.has_cookie:
            cookie = self.jar.header(sent.origin, sent.target)
            if cookie:
                sent = sent.with_cookie(cookie)
        request, parts = sent.whole, None
        if request is None or settings.proxy_host:
            request, parts = sent.encoded(self.pool.target(sent.origin, sent.target)), sent.parts()
        reader = ResponseParser.of(sent.method, settings.max_header_bytes)
        connection = lane.take()
        fresh = connection is None
        sent_s = perf_counter()
        elapsed_s = 0.0
        try:
            while True:
                try:
                    if connection is None:
                        connection = self.pool.dial(lane.origin)
                        begun[0] += lane.was_dialled()
                    exchange(
                        connection,
                        reader,
                        request,
                        parts,
                        settings,
                        begun[0],
                        expects_continue=sent.head.expects_continue,
                    )
                    break
                except (ConnectionClosed, ConnectionReset) as failure:
                    # Kept alive for too long, it was closed while the request was on its way (RFC 9112, 9.3.1).
                    harmless = sent.method in IDEMPOTENT_METHODS or isinstance(failure, NothingSent)
                    if fresh or connection is None or reader.received or not (harmless and sent.replayable):
                        raise
                    connection.close()
                    connection = None
                    fresh = True
                    begun[0] += lane.take_turn()
                    parts = sent.parts() if parts is not None else None
                    reader = ResponseParser.of(sent.method, settings.max_header_bytes)
            elapsed_s = connection.arrived_s(sent_s) - sent_s
            if not reader.complete and (not wish.stream or (wish.max_redirects and reader.status in REDIRECTS)):
                read_on(connection, reader, settings, begun[0])
        except OSError as failure:
            lane.end_turn(connection)
            if not reader.head:
                raise
            response = wish.kind(sent, reader.status, reader.head, reader.take(), elapsed_s)
            response.error = failure
            return response
        except BaseException:  # raised again: a user may be cut off here, and its turn ends
            lane.end_turn(connection)
            raise
        arrived_s = connection.arrived_s(sent_s)
        if sent.head.closes:
            reader.last()
        if reader.complete:
            if reader.reusable:
                lane.give_back(connection)
            else:
                lane.end_turn(connection)
            connection = None
        response = self._response(sent, wish, reader, elapsed_s, is_redirected)
        response.arrived_s = arrived_s
        if wish.stream:
            response._stream = BodyStream(reader, connection, lane, settings, begun[0], _codings(reader, response))
        else:
            reader.done()
        return response

    def _response(
        self, sent: PreparedRequest, wish: RequestOptions, reader: ResponseParser, elapsed_s: float, is_redirected: bool
    ) -> Response:
        """The answer that ``reader`` has read; the body of a stream is still to come."""
        content = None if wish.stream else reader.body
        response = wish.kind(sent, reader.status, reader.head, content, elapsed_s)
        if reader.sets_cookies:
            self._set_cookies(response, sent, is_redirected=is_redirected)
        if content and reader.is_coded:
            try:
                response._content = decoded(content, _codings(reader, response), self.pool.settings.max_answer_bytes)
            except RequestFailure as failure:
                response.error = failure
        if response.status_code not in _GOOD_STATUSES and response.error is None:
            response.error = error = LocustBadStatusCode(sent.url, code=response.status_code)
            error.__dict__["response"] = response
        return response

    def _set_cookies(self, response: Response, sent: PreparedRequest, *, is_redirected: bool) -> None:
        if self.jar is None:
            self.jar = Jar()
        self.jar.take_in(response.headers or Headers(), sent.origin, sent.target, redirected=is_redirected)


def _codings(reader: ResponseParser, response: Response) -> list[str]:
    """The values of ``Content-Encoding``."""
    return response.headers.getlist("content-encoding") if reader.is_coded and response.headers is not None else []

"""From a request to its answer: connections, retries, cookies, redirects."""

from __future__ import annotations

from math import inf
from time import perf_counter

from geventhttpclient.client import IDEMPOTENT_METHODS
from geventhttpclient.header import Headers
from locust.contrib.fasthttp import LocustBadStatusCode, LocustUserAgent

from harness.load.failures import ConnectionClosed, ConnectionReset, RequestFailure, TooManyRedirects
from harness.load.http.answer import AnswerReader
from harness.load.http.content import decoded
from harness.load.http.cookies import Jar
from harness.load.http.exchange import NothingSent, exchange, read_on
from harness.load.http.pool import Lane, Pool
from harness.load.http.redirect import REDIRECTS, redirected
from harness.load.http.response import Response
from harness.load.http.sent import Sent
from harness.load.http.stream import BodyStream

_GOOD_STATUSES = LocustUserAgent.valid_response_codes


class Transport:
    """One user's way to servers: the pool of its connections, and its cookies."""

    __slots__ = ("jar", "pool")

    def __init__(self, pool: Pool) -> None:
        self.pool = pool
        self.jar: Jar | None = None
        """None until a server sets a cookie, or a scenario asks for the jar."""

    def send(
        self,
        sent: Sent,
        lane: Lane,
        kind: type[Response],
        begun_s: float,
        *,
        stream: bool,
        max_redirects: int,
        max_retries: int,
    ) -> Response:
        """The answer to ``sent``, or that to the last redirect from it. ``begun_s`` is now (``perf_counter``).

        Raises :class:`OSError`, of which :class:`RequestFailure` is a kind, where none came.
        """
        response = self._retried(sent, lane, kind, begun_s, stream, max_redirects > 0, max_retries)
        if max_redirects == 0 or response.status_code not in REDIRECTS:
            return response
        history: list[Response] = []
        first = sent.origin
        while response.status_code in REDIRECTS and response.error is None:
            location = response.headers.getlist("location") if response.headers is not None else []
            if len(location) != 1 or not location[0]:
                break
            if len(history) == max_redirects:
                raise TooManyRedirects(max_redirects)
            history.append(response)
            sent = redirected(sent, response.status_code, location[0], first)
            lane = self.pool.lane(sent.origin)
            response = self._retried(sent, lane, kind, perf_counter(), stream, True, max_retries, redirected=True)
        response._history = history
        return response

    def _retried(
        self,
        sent: Sent,
        lane: Lane,
        kind: type[Response],
        begun_s: float,
        stream: bool,
        follows: bool,
        max_retries: int,
        redirected: bool = False,
    ) -> Response:
        """As geventhttpclient does: only what timed out, and only what may be done twice."""
        retries = max_retries if sent.method in IDEMPOTENT_METHODS and sent.replayable else 0
        while True:
            try:
                return self._once(sent, lane, kind, begun_s, stream, follows, redirected)
            except TimeoutError:
                if retries <= 0:
                    raise
                retries -= 1
                begun_s = perf_counter()

    def _once(
        self,
        sent: Sent,
        lane: Lane,
        kind: type[Response],
        begun_s: float,
        stream: bool,
        follows: bool,
        redirected: bool,
    ) -> Response:
        pool = self.pool
        settings = pool.settings
        head = sent.head
        if self.jar is not None and not head.has_cookie:
            cookie = self.jar.header(sent.origin, sent.target)
            if cookie:
                sent = sent.with_cookie(cookie)
        request, parts = sent.whole, None
        if request is None or settings.proxy_host:
            request = sent.encoded(pool.target(sent.origin, sent.target) if settings.proxy_host else sent.target)
            parts = sent.parts()
        reader = AnswerReader.of(sent.method, settings.max_header_bytes)
        head_s = begun_s
        may_be_sent_again = sent.method in IDEMPOTENT_METHODS and sent.replayable
        # What may not be sent again is not sent at all on a connection that its server has closed by now.
        connection = lane.take(begun_s if may_be_sent_again else inf)
        fresh = connection is None
        try:
            while True:
                try:
                    if connection is None:
                        connection = pool.dial(lane.origin)
                    exchange(
                        connection, reader, request, parts, settings, begun_s, expects_continue=head.expects_continue
                    )
                    break
                except (ConnectionClosed, ConnectionReset) as failure:
                    # Kept alive for too long, it was closed while the request was on its way (RFC 9112, 9.3.1).
                    harmless = may_be_sent_again or (isinstance(failure, NothingSent) and sent.replayable)
                    if fresh or reader.received or not harmless or connection is None:
                        raise
                    connection.close()
                    connection = None
                    fresh = True
                    reader = AnswerReader.of(sent.method, settings.max_header_bytes)
            head_s = perf_counter()
            if not reader.complete and (not stream or (follows and reader.status in REDIRECTS)):
                read_on(connection, reader, settings, begun_s)
        except OSError as failure:
            lane.end_turn(connection)
            if not reader.head:
                raise
            response = kind(sent, reader.status, reader.head, reader.take(), head_s - begun_s)
            response.error = failure
            return response
        except BaseException:
            lane.end_turn(connection)
            raise
        if head.closes:
            reader.last()

        if reader.complete:
            if reader.reusable:
                # Servers that send a body behind the head that HEAD asked for send it a moment later.
                lane.give_back(connection, -inf if sent.method == "HEAD" else head_s)
            else:
                lane.end_turn(connection)
            connection = None
        response = kind(sent, reader.status, reader.head, None if stream else reader.body, head_s - begun_s)
        if reader.sets_cookies:
            self._set_cookies(response, sent, redirected=redirected)
        if stream:
            codings = response.headers.getlist("content-encoding") if reader.is_coded and response.headers else []
            response._stream = BodyStream(reader, connection, lane, settings, begun_s, codings)
        else:
            if reader.is_coded and response._content and response.headers:
                try:
                    codings = response.headers.getlist("content-encoding")
                    response._content = decoded(response._content, codings, settings.max_answer_bytes)
                except RequestFailure as failure:
                    response.error = failure
            reader.done()
        if response.status_code not in _GOOD_STATUSES and response.error is None:
            response.error = error = LocustBadStatusCode(sent.url, code=response.status_code)
            error.__dict__["response"] = response
        return response

    def _set_cookies(self, response: Response, sent: Sent, *, redirected: bool) -> None:
        if self.jar is None:
            self.jar = Jar()
        self.jar.take_in(response.headers or Headers(), sent.origin, sent.target, redirected=redirected)

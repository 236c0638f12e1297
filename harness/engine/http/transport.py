"""From a request to its answer: connections, retries, cookies, redirects."""

from __future__ import annotations

from functools import lru_cache
from time import perf_counter
from typing import NamedTuple

from geventhttpclient.client import IDEMPOTENT_METHODS
from geventhttpclient.header import Headers
from locust.contrib.fasthttp import LocustBadStatusCode, LocustUserAgent

from harness.engine.http.body_stream import BodyStream
from harness.engine.http.connection_pool import ConnectionPool, OriginPool
from harness.engine.http.cookies import CachingCookieJar
from harness.engine.http.decoders import decode_content
from harness.engine.http.http11 import RequestNotSent, handle_request, receive_response
from harness.engine.http.prepared_request import PreparedRequest
from harness.engine.http.redirect import REDIRECTS, build_redirect_request
from harness.engine.http.response import Response
from harness.engine.http.response_parser import ResponseParser
from harness.engine.request_failures import (
    ConnectionClosed,
    ConnectionReset,
    RequestFailure,
    ResponseTooSlow,
    TooManyRedirects,
)

_GOOD_STATUSES = LocustUserAgent.valid_response_codes


class RequestOptions(NamedTuple):
    """How a request is to be answered; :func:`request_options` gives one."""

    response_class: type[Response]
    stream: bool
    max_redirects: int
    max_retries: int


request_options = lru_cache(maxsize=128)(RequestOptions)


class Transport:
    """One user's way to servers: the pool of its connections, and its cookies."""

    __slots__ = ("jar", "pool")

    def __init__(self, pool: ConnectionPool) -> None:
        self.pool = pool
        self.jar: CachingCookieJar | None = None
        """None until a server sets a cookie, or a scenario asks for the jar."""

    def send(
        self, prepared: PreparedRequest, origin_pool: OriginPool, options: RequestOptions, started_s: float
    ) -> Response:
        """The answer to ``prepared``, or that to the last redirect from it.

        ``started_s`` (``perf_counter``) is when all of it, redirects and retries included, began. What waits for a turn
        at a ceiling on the way has that much longer: the limit on an exchange is for the target.
        Raises :class:`OSError`, of which :class:`RequestFailure` is a kind, where none came.
        """
        begun = [started_s]
        response = self._send_with_retries(prepared, origin_pool, options, begun)
        if options.max_redirects == 0 or response.status_code not in REDIRECTS:
            return response
        history: list[Response] = []
        first = prepared.origin
        while response.status_code in REDIRECTS and response.error is None:
            location = response.headers.getlist("location") if response.headers is not None else []
            if len(location) != 1 or not location[0]:
                break
            if len(history) == options.max_redirects:
                raise TooManyRedirects(options.max_redirects)
            self._check_deadline(begun)
            history.append(response)
            prepared = build_redirect_request(prepared, response.status_code, location[0], first)
            origin_pool = self.pool.origin_pool(prepared.origin)
            begun[0] += origin_pool.wait_for_rate_limit()
            response = self._send_with_retries(prepared, origin_pool, options, begun, is_redirect=True)
        response._history = history
        return response

    # Below, ``begun`` holds one number, for all parts of a request: when it began, later by each wait for a turn. It is
    # a list, as that is made in a third of an object's time: every request has one, and hardly any ever waits.

    def _check_deadline(self, begun: list[float]) -> None:
        """Before something is sent again."""
        limit_s = self.pool.settings.exchange_timeout
        if perf_counter() - begun[0] >= limit_s:
            raise ResponseTooSlow(limit_s)

    def _send_with_retries(
        self,
        prepared: PreparedRequest,
        origin_pool: OriginPool,
        options: RequestOptions,
        begun: list[float],
        *,
        is_redirect: bool = False,
    ) -> Response:
        """Sent again as geventhttpclient does: only what timed out, and only what may be done twice."""
        retries = 0
        while True:
            try:
                return self._send_once(prepared, origin_pool, options, begun, is_redirect)
            except TimeoutError:
                if (
                    retries >= options.max_retries
                    or prepared.method not in IDEMPOTENT_METHODS
                    or not prepared.replayable
                ):
                    raise
                self._check_deadline(begun)
                begun[0] += origin_pool.wait_for_rate_limit()
                retries += 1

    def _send_once(
        self,
        prepared: PreparedRequest,
        origin_pool: OriginPool,
        options: RequestOptions,
        begun: list[float],
        is_redirect: bool,
    ) -> Response:
        settings = self.pool.settings
        if self.jar is not None and not prepared.headers.has_cookie:
            cookie = self.jar.cookie_header(prepared.origin, prepared.target)
            if cookie:
                prepared = prepared.with_cookie(cookie)
        request, parts = prepared.encoded, None
        if request is None or settings.proxy_host:
            request, parts = prepared.encode(self.pool.target(prepared.origin, prepared.target)), prepared.body_chunks()
        parser = ResponseParser.acquire(prepared.method, settings.max_header_bytes)
        connection = origin_pool.acquire()
        fresh = connection is None
        sent_s = perf_counter()
        elapsed_s = 0.0
        try:
            while True:
                try:
                    if connection is None:
                        connection = self.pool.connect(origin_pool.origin)
                        begun[0] += origin_pool.limit_after_connect()
                    handle_request(
                        connection,
                        parser,
                        request,
                        parts,
                        settings,
                        begun[0],
                        expects_continue=prepared.headers.expects_continue,
                    )
                    break
                except (ConnectionClosed, ConnectionReset) as failure:
                    # Kept alive for too long, it was closed while the request was on its way (RFC 9112, 9.3.1).
                    harmless = prepared.method in IDEMPOTENT_METHODS or isinstance(failure, RequestNotSent)
                    if fresh or connection is None or parser.received or not (harmless and prepared.replayable):
                        raise
                    connection.close()
                    connection = None
                    fresh = True
                    begun[0] += origin_pool.wait_for_rate_limit()
                    parts = prepared.body_chunks() if parts is not None else None
                    parser = ResponseParser.acquire(prepared.method, settings.max_header_bytes)
            elapsed_s = connection.arrived_s(sent_s) - sent_s
            if not parser.complete and (not options.stream or (options.max_redirects and parser.status in REDIRECTS)):
                receive_response(connection, parser, settings, begun[0])
        except OSError as failure:
            origin_pool.discard(connection)
            if not parser.raw_headers:
                raise
            response = options.response_class(
                prepared, parser.status, parser.raw_headers, parser.take_body(), elapsed_s
            )
            response.error = failure
            return response
        except BaseException:  # raised again: a user may be cut off here, and its turn ends
            origin_pool.discard(connection)
            raise
        arrived_s = connection.arrived_s(sent_s)
        if prepared.headers.closes_connection:
            parser.forbid_reuse()
        if parser.complete:
            if parser.reusable:
                origin_pool.release(connection)
            else:
                origin_pool.discard(connection)
            connection = None
        response = self._response(prepared, options, parser, elapsed_s, is_redirect)
        response.arrived_s = arrived_s
        if options.stream:
            response._stream = BodyStream(
                parser, connection, origin_pool, settings, begun[0], _codings(parser, response)
            )
        else:
            parser.recycle()
        return response

    def _response(
        self,
        prepared: PreparedRequest,
        options: RequestOptions,
        parser: ResponseParser,
        elapsed_s: float,
        is_redirect: bool,
    ) -> Response:
        """The answer that ``parser`` has read; the body of a stream is still to come."""
        content = None if options.stream else parser.body
        response = options.response_class(prepared, parser.status, parser.raw_headers, content, elapsed_s)
        if parser.sets_cookies:
            self._set_cookies(response, prepared, is_redirect=is_redirect)
        if content and parser.has_content_coding:
            try:
                response._content = decode_content(
                    content, _codings(parser, response), self.pool.settings.max_answer_bytes
                )
            except RequestFailure as failure:
                response.error = failure
        if response.status_code not in _GOOD_STATUSES and response.error is None:
            response.error = error = LocustBadStatusCode(prepared.url, code=response.status_code)
            error.__dict__["response"] = response
        return response

    def _set_cookies(self, response: Response, prepared: PreparedRequest, *, is_redirect: bool) -> None:
        if self.jar is None:
            self.jar = CachingCookieJar()
        self.jar.store(response.headers or Headers(), prepared.origin, prepared.target, is_redirect=is_redirect)


def _codings(parser: ResponseParser, response: Response) -> list[str]:
    """The values of ``Content-Encoding``."""
    return (
        response.headers.getlist("content-encoding")
        if parser.has_content_coding and response.headers is not None
        else []
    )

"""Sends a request and returns its response, with retries, cookies and redirects."""

from __future__ import annotations

from functools import lru_cache
from time import perf_counter
from typing import NamedTuple
from weakref import ref

from geventhttpclient.client import IDEMPOTENT_METHODS
from geventhttpclient.header import Headers
from locust.contrib.fasthttp import LocustBadStatusCode, LocustUserAgent

from harness.engine.http.body_stream import BodyStream
from harness.engine.http.catch_response import ResponseContextManager
from harness.engine.http.client_settings import ClientSettings
from harness.engine.http.connect import connect
from harness.engine.http.connection import Connection, WaitTimeout
from harness.engine.http.connection_pool import ConnectionPool, OriginPool
from harness.engine.http.cookies import CachingCookieJar
from harness.engine.http.decoders import Decoder
from harness.engine.http.http11 import (
    RequestNotSent,
    handle_request,
    receive_headers,
    receive_response,
    timeout_failure,
)
from harness.engine.http.prepared_request import PreparedRequest
from harness.engine.http.redirect import REDIRECTS, build_redirect_request
from harness.engine.http.response import Response
from harness.engine.http.response_parser import LARGE_BYTES, KeptBytes, ResponseParser, header_cache
from harness.engine.request_failures import (
    ConnectionClosed,
    ConnectionReset,
    RequestFailure,
    ResponseTooSlow,
    TooManyRedirects,
)

_SUCCESS_STATUSES = LocustUserAgent.valid_response_codes


class RequestOptions(NamedTuple):
    """Options of one request; :func:`request_options` creates them."""

    response_class: type[Response]
    stream: bool
    max_redirects: int
    max_retries: int


request_options = lru_cache(maxsize=128)(RequestOptions)


class BegunResponse(NamedTuple):
    """The first bytes of a response."""

    connection: Connection
    data: bytes
    sent_s: float


class Transport:
    """Sends the requests of one user, over its connections and with its cookies."""

    def __init__(self, pool: ConnectionPool) -> None:
        self.pool = pool
        settings = pool.settings
        self._simple_settings = (
            settings if not settings.proxy_host and settings.network_timeout <= settings.exchange_timeout else None
        )
        """The settings of the pool if they allow :meth:`_send_simple`."""
        self.jar: CachingCookieJar | None = None
        """None until a server sets a cookie, or a scenario asks for the jar."""

    def send(
        self,
        request: PreparedRequest,
        origin_pool: OriginPool,
        options: RequestOptions,
        settings: ClientSettings,
        started_s: float,
    ) -> Response:
        """Send ``request`` and follow its redirects. ``settings`` are those of the pool, with the request's timeout.

        ``started_s`` (``perf_counter``) is when the exchange began, including redirects and retries. Its timeout is a
        limit for the target, so waiting for a rate limit does not count. Raises :class:`OSError`, such as
        :class:`RequestFailure`, if no response arrives.
        """
        # In a list, so that waiting for a rate limit can move it. A list is created in a third of an object's time.
        start = [started_s]
        response = None
        encoded = request.encoded
        if (
            encoded is not None
            and request.is_simple
            and settings is self._simple_settings
            and self.jar is None
            and not options.stream
            and not options.max_retries
        ):
            response = self._send_simple(encoded, request, origin_pool, options, settings, start)
        if response is None:
            response = self._send_with_retries(request, origin_pool, options, settings, start)
        if options.max_redirects == 0 or response.status_code not in REDIRECTS:
            return response
        history: list[Response] = []
        first_origin = request.origin
        while response.status_code in REDIRECTS and response.error is None:
            location = response.header_lines("location")
            if len(location) != 1 or not location[0]:
                break
            if len(history) == options.max_redirects:
                raise TooManyRedirects(limit=options.max_redirects)
            self._check_deadline(start)
            history.append(response)
            request = build_redirect_request(request, response.status_code, location[0], first_origin)
            origin_pool = self.pool.origin_pool(request.origin)
            start[0] += origin_pool.wait_for_rate_limit()
            response = self._send_with_retries(request, origin_pool, options, settings, start, is_redirect=True)
        response.history = history
        response.sent_s = history[0].sent_s if history else response.sent_s
        return response

    def _send_simple(
        self,
        encoded: bytes,
        request: PreparedRequest,
        origin_pool: OriginPool,
        options: RequestOptions,
        settings: ClientSettings,
        start: list[float],
    ) -> Response | None:
        """Send a simple request over an idle connection; returns None if it has to be sent in the general way.

        Most requests are simple, and have responses that only differ in their body from earlier ones. For those, this
        does all that the general way does, in half the time.
        """
        connection = origin_pool.take_idle()
        if connection is None:
            return None
        if connection.limit_s != settings.network_timeout:
            connection.change_limit(settings.network_timeout)
        try:
            data = connection.exchange(encoded)
        except ConnectionReset:
            data = b""
        except WaitTimeout:
            origin_pool.discard(connection)
            raise timeout_failure(settings, start[0]) from None
        except BaseException:  # a user may be killed while it waits; raised again
            origin_pool.discard(connection)
            raise
        if not data:
            # The server had closed it, or did so while the request was on its way (RFC 9112, section 9.3.1).
            origin_pool.discard(connection)
            start[0] += origin_pool.wait_for_rate_limit()
            return None
        sent_s = connection.sent_s
        cached = header_cache.recognize(data)
        if (
            cached is None
            or cached.sets_cookies
            or cached.has_content_coding
            or cached.status not in _SUCCESS_STATUSES
            or len(cached.text) > settings.max_header_bytes
            or not cached.body_bytes <= min(LARGE_BYTES, settings.max_response_bytes)
        ):
            begun = BegunResponse(connection, data, sent_s)
            response = self._send_once(request, origin_pool, options, settings, start, is_redirect=False, begun=begun)
            response.sent_s = sent_s
            return response
        origin_pool.release(connection)
        arrived_s = connection.arrived_s(sent_s)
        head = cached.text
        response = options.response_class(request, cached.status, head, data[len(head) :], arrived_s - sent_s)
        response.sent_s = sent_s
        response.arrived_s = arrived_s
        response.bytes_received = cached.body_bytes
        return response

    def _check_deadline(self, start: list[float]) -> None:
        limit_s = self.pool.settings.exchange_timeout
        if perf_counter() - start[0] >= limit_s:
            raise ResponseTooSlow(limit_s=limit_s)

    def _send_with_retries(
        self,
        request: PreparedRequest,
        origin_pool: OriginPool,
        options: RequestOptions,
        settings: ClientSettings,
        start: list[float],
        *,
        is_redirect: bool = False,
    ) -> Response:
        """Retry like geventhttpclient: only after a timeout, and only requests that may be repeated."""
        retries = 0
        while True:
            try:
                return self._send_once(request, origin_pool, options, settings, start, is_redirect)
            except TimeoutError:
                if retries >= options.max_retries or request.method not in IDEMPOTENT_METHODS or not request.replayable:
                    raise
                self._check_deadline(start)
                start[0] += origin_pool.wait_for_rate_limit()
                retries += 1

    def _send_once(
        self,
        request: PreparedRequest,
        origin_pool: OriginPool,
        options: RequestOptions,
        settings: ClientSettings,
        start: list[float],
        is_redirect: bool,
        begun: BegunResponse | None = None,
    ) -> Response:
        if self.jar is not None and not request.headers.has_cookie:
            cookie = self.jar.cookie_header(request.origin, request.target)
            if cookie:
                request = request.with_cookie(cookie)
        data, chunks = request.encoded, None
        if data is None or settings.proxy_host:
            target = request.target
            if settings.proxy_host and request.origin.scheme == "http":  # RFC 9112, section 3.2.2
                target = request.origin.url + target
            data, chunks = request.encode(target), request.body_chunks()
        parser = ResponseParser.acquire(request.method, settings.max_header_bytes)
        connection = origin_pool.acquire() if begun is None else begun.connection
        if connection is not None and connection.limit_s != settings.network_timeout:
            connection.change_limit(settings.network_timeout)
        is_new = connection is None
        sent_s = perf_counter() if begun is None else begun.sent_s
        elapsed_s = 0.0
        try:
            while True:
                try:
                    if connection is None:
                        connection = connect(origin_pool.origin, settings, self.pool.tls_context)
                        start[0] += origin_pool.limit_after_connect()
                    if begun is not None:
                        parser.feed(begun.data)
                        receive_headers(connection, parser, settings, start[0])
                        break
                    handle_request(
                        connection,
                        parser,
                        data,
                        chunks,
                        settings,
                        start[0],
                        expects_continue=request.headers.expects_continue,
                    )
                    break
                except (ConnectionClosed, ConnectionReset) as error:
                    # The server may close an idle connection while a request is on its way (RFC 9112, section 9.3.1).
                    repeatable = request.method in IDEMPOTENT_METHODS or isinstance(error, RequestNotSent)
                    if is_new or connection is None or parser.received or not (repeatable and request.replayable):
                        raise
                    connection.close()
                    connection = None
                    is_new = True
                    start[0] += origin_pool.wait_for_rate_limit()
                    chunks = request.body_chunks() if chunks is not None else None
                    parser = ResponseParser.acquire(request.method, settings.max_header_bytes)
            elapsed_s = connection.arrived_s(sent_s) - sent_s
            if not parser.complete and (not options.stream or (options.max_redirects and parser.status in REDIRECTS)):
                receive_response(connection, parser, settings, start[0])
        except OSError as error:
            origin_pool.discard(connection)
            if not parser.raw_headers:
                raise
            content = parser.take_body()
            response = options.response_class(request, parser.status, parser.raw_headers, content, elapsed_s)
            response.error = error
            response.bytes_received, response.kept = len(content), parser.kept
            return response
        except BaseException:  # a user may be killed while it waits; raised again
            origin_pool.discard(connection)
            raise
        arrived_s = connection.arrived_s(sent_s)
        if request.headers.closes_connection:
            parser.forbid_reuse()
        if parser.complete:
            if parser.reusable:
                origin_pool.release(connection)
            else:
                origin_pool.discard(connection)
            connection = None
        response = self._build_response(request, options, parser, elapsed_s, is_redirect)
        response.arrived_s = arrived_s
        if options.stream:
            codings = response.header_lines("content-encoding") if parser.has_content_coding else []
            response._body = BodyStream(parser, connection, origin_pool, settings, start[0], codings, ref(response))
        else:
            parser.recycle()
        return response

    def _build_response(
        self,
        request: PreparedRequest,
        options: RequestOptions,
        parser: ResponseParser,
        elapsed_s: float,
        is_redirect: bool,
    ) -> Response:
        content = None if options.stream or parser.counted else parser.body
        response = options.response_class(request, parser.status, parser.raw_headers, content, elapsed_s)
        if parser.sets_cookies:
            if self.jar is None:
                self.jar = CachingCookieJar()
            self.jar.store(response.headers or Headers(), request.origin, request.target, is_redirect=is_redirect)
        if content and parser.has_content_coding:
            codings = response.header_lines("content-encoding")
            try:
                decoder = Decoder(codings, self.pool.settings.max_response_bytes)
                response._content = content = decoder.decode(content, last=True)
            except RequestFailure as error:
                response.error = error
        response.bytes_received = len(content) if content is not None else parser.body_bytes
        if response.bytes_received > LARGE_BYTES and content is not None:
            response.kept = parser.kept or KeptBytes()
            if not response.kept.fit(len(content)):
                response._content = None
        if response.status_code not in _SUCCESS_STATUSES and response.error is None:
            response.error = bad_status = LocustBadStatusCode(request.url, code=response.status_code)
            if not isinstance(response, ResponseContextManager):  # which would not be dropped, being in a circle
                bad_status.__dict__["response"] = response
        return response

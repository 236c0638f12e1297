"""One exchange: sends a request over an idle or a new connection, and receives the response.

The server may close an idle connection while a request is on its way (RFC 9112, section 9.3.1). If the request may be
repeated, it is then sent over a new one.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from time import perf_counter
from typing import NamedTuple
from weakref import ref

from geventhttpclient.client import IDEMPOTENT_METHODS
from locust.contrib.fasthttp import LocustBadStatusCode, LocustUserAgent

from harness.engine.http.body_stream import BodyStream
from harness.engine.http.catch_response import ResponseContextManager
from harness.engine.http.client_settings import ClientSettings
from harness.engine.http.connect import connect
from harness.engine.http.connection import Connection
from harness.engine.http.connection_pool import ConnectionPool, OriginPool
from harness.engine.http.decoders import Decoder
from harness.engine.http.http11 import RequestNotSent, handle_request, receive_headers, receive_response
from harness.engine.http.kept_bytes import LARGE_BYTES, KeptBytes
from harness.engine.http.prepared_request import PreparedRequest
from harness.engine.http.redirect import REDIRECTS
from harness.engine.http.response import Response
from harness.engine.http.response_parser import ResponseParser
from harness.engine.request_failures import ConnectionClosed, ConnectionReset, RequestFailure

SUCCESS_STATUSES = LocustUserAgent.valid_response_codes


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


class Exchange:
    """An exchange with one origin. ``settings`` are those of the pool, with the request's timeout.

    ``start`` has the moment (``perf_counter``) from which the timeout counts; waiting for a rate limit moves it.
    """

    __slots__ = (
        "_connection",
        "_options",
        "_origin_pool",
        "_parser",
        "_pool",
        "_request",
        "_settings",
        "_start",
        "sets_cookies",
    )

    def __init__(
        self,
        request: PreparedRequest,
        pool: ConnectionPool,
        origin_pool: OriginPool,
        options: RequestOptions,
        settings: ClientSettings,
        start: list[float],
    ) -> None:
        self._request = request
        self._pool = pool
        self._origin_pool = origin_pool
        self._options = options
        self._settings = settings
        self._start = start
        self._parser = ResponseParser.acquire(request.method, settings.max_header_bytes)
        self._connection: Connection | None = None
        self.sets_cookies = False
        """Whether the response does."""

    def run(self, begun: BegunResponse | None = None) -> Response:
        """Send the request, unless its response has ``begun``, and receive the response; of a stream the headers.

        A response that ends in the middle of its body has an error. Raises :class:`OSError`, such as
        :class:`RequestFailure`, if not even the headers arrive.
        """
        data, chunks = (b"", None) if begun is not None else self._encoded()
        self._connection = self._idle_connection() if begun is None else begun.connection
        sent_s = perf_counter() if begun is None else begun.sent_s
        elapsed_s = 0.0
        try:
            if begun is None:
                connection = self._send(data, chunks)
            else:
                connection = begun.connection
                self._parser.feed(begun.data)
                receive_headers(connection, self._parser, self._settings, self._start[0])
            elapsed_s = connection.arrived_s(sent_s) - sent_s
            if not self._parser.complete and not self._is_streamed():
                receive_response(connection, self._parser, self._settings, self._start[0])
        except OSError as error:
            self._origin_pool.discard(self._connection)
            if not self._parser.raw_headers:
                raise
            return self._cut_short(elapsed_s, error)
        except BaseException:  # a user may be killed while it waits; raised again
            self._origin_pool.discard(self._connection)
            raise
        arrived_s = connection.arrived_s(sent_s)
        is_free = self._free(connection)
        response = self._whole(elapsed_s)
        response.arrived_s = arrived_s
        if self._options.stream:
            self._attach_stream(response, None if is_free else connection)
        else:
            self._parser.recycle()
        return response

    def _encoded(self) -> tuple[bytes, Iterable[bytes] | None]:
        """The request as bytes, and the rest of its body, if any."""
        request, proxied = self._request, bool(self._settings.proxy_host)
        if request.encoded is not None and not proxied:
            return request.encoded, None
        target = request.target
        if proxied and request.origin.scheme == "http":  # RFC 9112, section 3.2.2
            target = request.origin.url + target
        return request.encode(target), request.body_chunks()

    def _idle_connection(self) -> Connection | None:
        """Wait until the request may start; an idle connection if there is one."""
        connection = self._origin_pool.acquire()
        if connection is not None and connection.limit_s != self._settings.network_timeout:
            connection.change_limit(self._settings.network_timeout)
        return connection

    def _send(self, data: bytes, chunks: Iterable[bytes] | None) -> Connection:
        """Send the request and receive the headers, and with most responses all of the body."""
        request, settings, start = self._request, self._settings, self._start
        is_new = self._connection is None
        while True:
            try:
                connection = self._connection
                if connection is None:
                    connection = self._connection = connect(self._origin_pool.origin, settings, self._pool.tls_context)
                    start[0] += self._origin_pool.limit_after_connect()
                expects_continue = request.headers.expects_continue
                handle_request(
                    connection, self._parser, data, chunks, settings, start[0], expects_continue=expects_continue
                )
                return connection
            except (ConnectionClosed, ConnectionReset) as error:
                repeatable = request.method in IDEMPOTENT_METHODS or isinstance(error, RequestNotSent)
                if is_new or connection is None or self._parser.received or not (repeatable and request.replayable):
                    raise
                connection.close()
                self._connection = None
                is_new = True
                start[0] += self._origin_pool.wait_for_rate_limit()
                chunks = request.body_chunks() if chunks is not None else None
                self._parser = ResponseParser.acquire(request.method, settings.max_header_bytes)

    def _is_streamed(self) -> bool:
        """Whether the scenario reads the body, which it does not of a response that is a redirect to follow."""
        options = self._options
        return options.stream and not (options.max_redirects and self._parser.status in REDIRECTS)

    def _free(self, connection: Connection) -> bool:
        """Keep or close the connection, if the response is complete; returns whether it is."""
        if self._request.headers.closes_connection:
            self._parser.forbid_reuse()
        if not self._parser.complete:
            return False
        if self._parser.reusable:
            self._origin_pool.release(connection)
        else:
            self._origin_pool.discard(connection)
        return True

    def _cut_short(self, elapsed_s: float, error: OSError) -> Response:
        """The response as far as it has arrived."""
        parser = self._parser
        content = parser.take_body()
        response = self._options.response_class(self._request, parser.status, parser.raw_headers, content, elapsed_s)
        response.error = error
        response.bytes_received, response.kept = len(content), parser.kept
        return response

    def _whole(self, elapsed_s: float) -> Response:
        """The response, decoded; of a stream without its body."""
        parser, options = self._parser, self._options
        content = None if options.stream or parser.counted else parser.body
        response = options.response_class(self._request, parser.status, parser.raw_headers, content, elapsed_s)
        self.sets_cookies = parser.sets_cookies
        if content and parser.has_content_coding:
            codings = response.header_lines("content-encoding")
            try:
                decoder = Decoder(codings, self._pool.settings.max_response_bytes)
                response._content = content = decoder.decode(content, last=True)
            except RequestFailure as error:
                response.error = error
        response.bytes_received = len(content) if content is not None else parser.body_bytes
        if response.bytes_received > LARGE_BYTES and content is not None:
            response.kept = parser.kept or KeptBytes()
            if not response.kept.fit(len(content)):
                response._content = None
        if response.status_code not in SUCCESS_STATUSES and response.error is None:
            response.error = bad_status = LocustBadStatusCode(self._request.url, code=response.status_code)
            if not isinstance(response, ResponseContextManager):  # which would not be dropped, being in a circle
                bad_status.__dict__["response"] = response
        return response

    def _attach_stream(self, response: Response, connection: Connection | None) -> None:
        parser = self._parser
        codings = response.header_lines("content-encoding") if parser.has_content_coding else []
        response._body = BodyStream(
            parser, connection, self._origin_pool, self._settings, self._start[0], codings, ref(response)
        )

"""Sends a request and returns its response, with retries, cookies and redirects."""

from __future__ import annotations

from time import perf_counter

from geventhttpclient.client import IDEMPOTENT_METHODS
from geventhttpclient.header import Headers

from harness.engine.http.client_settings import ClientSettings
from harness.engine.http.connection import WaitTimeout
from harness.engine.http.connection_pool import ConnectionPool, OriginPool
from harness.engine.http.cookies import CachingCookieJar
from harness.engine.http.exchange import SUCCESS_STATUSES, BegunResponse, Exchange, RequestOptions
from harness.engine.http.http11 import timeout_failure
from harness.engine.http.kept_bytes import LARGE_BYTES
from harness.engine.http.prepared_request import PreparedRequest
from harness.engine.http.redirect import REDIRECTS, build_redirect_request
from harness.engine.http.response import Response
from harness.engine.http.response_header_cache import header_cache
from harness.engine.request_failures import ConnectionReset, ResponseTooSlow, TooManyRedirects


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
            or cached.status not in SUCCESS_STATUSES
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
        """Send the request with the user's cookies, and keep those that the response sets."""
        if self.jar is not None and not request.headers.has_cookie:
            cookie = self.jar.cookie_header(request.origin, request.target)
            if cookie:
                request = request.with_cookie(cookie)
        exchange = Exchange(request, self.pool, origin_pool, options, settings, start)
        response = exchange.run(begun)
        if exchange.sets_cookies:
            headers = response.headers or Headers()
            self.cookie_jar().store(headers, request.origin, request.target, is_redirect=is_redirect)
        return response

    def cookie_jar(self) -> CachingCookieJar:
        """The cookies of the user, from now on also if there are none yet."""
        if self.jar is None:
            self.jar = CachingCookieJar()
        return self.jar

"""``self.client`` of a user, with the calls, arguments and results of Locust's ``FastHttpSession``."""

from __future__ import annotations

import codecs
from collections.abc import Callable, Generator
from dataclasses import dataclass
from ssl import SSLContext
from time import perf_counter
from typing import Any

import gevent
from gevent import GreenletExit
from geventhttpclient.client import HTTPClientPool
from geventhttpclient.header import Headers
from locust import User

from harness.engine.failure_details import encodable
from harness.engine.http.catch_response import PendingResponse, ResponseContextManager
from harness.engine.http.client_settings import ClientSettings, Timeout
from harness.engine.http.connection_pool import ConnectionPool
from harness.engine.http.cookies import CachingCookieJar
from harness.engine.http.exchange import request_options
from harness.engine.http.prepared_request import PreparedRequest
from harness.engine.http.request_builder import RequestBuilder
from harness.engine.http.request_event import RequestEvent
from harness.engine.http.request_headers import USER_AGENT, HeaderFields
from harness.engine.http.response import Response
from harness.engine.http.tracing import HEADER, RequestSampler
from harness.engine.http.transport import Transport
from harness.engine.locust.listeners import sole_recorder
from harness.engine.request_failures import RequestInterrupted

_AS_CONFIGURED = object()


@dataclass(frozen=True)
class UserAgent:
    """What scenarios use of ``self.client.client``, which is geventhttpclient's ``UserAgent`` in Locust."""

    clientpool: ConnectionPool
    """Closing it makes a user reconnect."""
    default_headers: Headers
    """They may be changed at any time."""


class HttpSession(RequestBuilder):
    """Sends requests and records them. Keeps connections and cookies between requests.

    A request never raises for what the server or the network did; see :attr:`Response.error`.
    """

    def __init__(
        self,
        base_url: str | None,
        request_event: Any,
        user: User | None,
        insecure: bool = True,
        client_pool: HTTPClientPool | None = None,
        ssl_context_factory: Callable[..., SSLContext] | None = None,
        max_redirects: int = 30,
        max_retries: int = 0,
        headers: HeaderFields = None,
        **settings: Any,
    ) -> None:
        """``settings`` are the other :class:`ClientSettings`. With ``client_pool``, the settings of the pool apply."""
        self.request_event = request_event
        self.user = user
        self.request_name: str | None = None
        """Name of all requests without a name of their own; see :meth:`rename_request`."""
        self.max_redirects = max_redirects
        self.max_retries = max_retries
        self._shares_pool = client_pool is not None
        if client_pool is not None:
            pool = ConnectionPool.for_client_pool(client_pool)
        else:
            pool = ConnectionPool(
                ClientSettings.with_limits(insecure=insecure, ssl_context_factory=ssl_context_factory, **settings)
            )
        default_headers = Headers({"User-Agent": USER_AGENT})
        default_headers.update(headers or {})
        super().__init__(base_url, default_headers, pool)
        self._transport = Transport(pool)
        self._environment = getattr(user, "environment", None)
        self._request_sampler = getattr(self._environment, "harness_request_sampler", None)

    @property
    def cookiejar(self) -> CachingCookieJar:  # type: ignore[override]  # created when it is needed
        """The cookies of this user."""
        return self._transport.cookie_jar()

    @property
    def client(self) -> UserAgent:  # type: ignore[override]  # not a client of its own
        """The connection pool, and the default headers, which may be changed."""
        self._default_headers_exposed = True
        return UserAgent(self._pool, self._default_headers)

    def close(self) -> None:
        """Close the idle connections unless the pool is shared. Later requests open new ones."""
        if not self._shares_pool:
            self._pool.close()

    def request(
        self,
        method: str,
        url: str,
        name: str | None = None,
        data: Any = None,
        catch_response: bool = False,
        stream: bool = False,
        headers: HeaderFields = None,
        auth: tuple[str | bytes, str | bytes] | None = None,
        json: Any = None,
        allow_redirects: bool = True,
        context: dict[str, Any] | None = None,
        *,
        params: Any = None,
        files: Any = None,
        max_redirects: int | None = None,
        max_retries: int | None = None,
        timeout: Timeout | object = _AS_CONFIGURED,
        **more: Any,
    ) -> Any:
        """Send a request, record it and return a :class:`Response`.

        ``url`` is a path below the base URL, or a whole URL. The request is recorded under ``name``, by default its
        ``url``. ``json`` is ignored if there is ``data``. With ``catch_response``, use the result in a ``with`` block,
        which decides whether the request succeeded. With ``stream``, the response time ends when the headers arrive;
        read the body with ``iter_content``, ``iter_lines``, ``read`` or ``content``. The request is recorded when the
        body has ended, cannot be read, or is dropped. ``timeout`` replaces ``connection_timeout`` and
        ``network_timeout``, as in ``requests``: seconds, ``(connect, read)``, or None for no limit. ``more`` is added
        to the form of a POST request, or to the query of others.
        """
        name = name or self.request_name or url
        if type(name) is not str:
            name = encodable(name)
        verb = method.upper()
        if more and verb == "POST":
            data = _merged(data, more)
        elif more:
            params = _merged(params, more)
        if not allow_redirects:
            max_redirects = 0
        elif max_redirects is None:
            max_redirects = self.max_redirects
        if max_retries is None:
            max_retries = self.max_retries
        own_context = self.user.context() if self.user is not None else {}
        context = {**own_context, **context} if context else {**own_context}
        prepared, origin_pool = self._prepare(verb, url, params, headers, auth, data, json, files)
        if self._request_sampler is not None:
            prepared = _perhaps_traced(prepared, context, self._request_sampler)
        full_url = prepared.url
        response_class = ResponseContextManager if catch_response else PendingResponse if stream else Response
        settings = self._pool.settings
        if timeout is not _AS_CONFIGURED:
            settings = settings.with_timeout(timeout)
        options = request_options(response_class, stream, max_redirects, max_retries)
        if origin_pool.rate_limiter is not None:
            origin_pool.rate_limiter.take_turn()
        start_s = perf_counter()
        try:
            response = self._transport.send(prepared, origin_pool, options, settings, start_s)
            bytes_received = _declared_length(response) if stream else response.bytes_received
        except OSError as error:
            response = response_class(prepared, 0, b"", None, None)
            response.error = error
            bytes_received = 0
        except (GreenletExit, gevent.Timeout) as interruption:
            event = RequestEvent(
                self.request_event, self._environment, method, name, start_s, perf_counter(), 0, context, full_url
            )
            event.record(None, RequestInterrupted() if isinstance(interruption, GreenletExit) else interruption)
            raise
        if response.sent_s is not None:
            start_s = response.sent_s
        end_s = response.arrived_s
        if end_s is None:
            end_s = perf_counter()
        recorder = None if catch_response or stream else sole_recorder(self.request_event, self._environment)
        if recorder is not None:
            recorder.record(method, name, start_s, end_s, bytes_received, response.error, response, context, full_url)
            return response
        event = RequestEvent(
            self.request_event, self._environment, method, name, start_s, end_s, bytes_received, context, full_url
        )
        if isinstance(response, PendingResponse) and (catch_response or response.error is None):
            return response.attach(event)
        event.record(response, response.error)
        return response

    def iter_lines(self, url: str, method: str = "GET", **more: Any) -> Generator[str]:
        """Yield the lines of a response as they arrive, without their line ends.

        Raises the error that the request failed with, after it was recorded.
        """
        response = self.request(method, url, stream=True, **more)
        response.raise_for_status()
        decode = codecs.getincrementaldecoder("utf-8")(errors="replace").decode
        rest = ""
        for chunk in response.iter_content(chunk_size=None, decode_content=False):
            *lines, rest = (rest + decode(chunk)).split("\n")
            yield from lines
        rest += decode(b"", final=True)
        if rest:
            yield rest


def _perhaps_traced(prepared: PreparedRequest, context: dict[str, Any], sampler: RequestSampler) -> PreparedRequest:
    """The request, with a ``traceparent`` that its ``context`` has, too, if it is one of those to be traced."""
    traceparent = sampler.pick()
    if traceparent is None or HEADER in prepared.headers.fields:
        return prepared
    context[HEADER] = traceparent
    return prepared.with_traceparent(traceparent)


def _merged(fields: Any, more: dict[str, Any]) -> Any:
    """Add unknown arguments to the form or the query if these are fields, as geventhttpclient does."""
    if fields is None:
        return more
    return {**fields, **more} if isinstance(fields, dict) else fields


def _declared_length(response: Response) -> int:
    lengths = response.header_lines("content-length")
    return int(lengths[0]) if len(lengths) == 1 and lengths[0].isdecimal() else 0

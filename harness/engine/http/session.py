"""``self.client`` of a user: the calls of Locust's ``FastHttpSession``, with the same arguments and results."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from ssl import SSLContext
from time import perf_counter
from typing import Any, NamedTuple

from gevent import GreenletExit, Timeout
from geventhttpclient.client import HTTPClientPool
from geventhttpclient.header import Headers
from geventhttpclient.url import URL
from locust import User

from harness.engine.http.auth import basic_auth, without_credentials
from harness.engine.http.catch_response import ResponseContextManager
from harness.engine.http.client_settings import ClientSettings
from harness.engine.http.connection_pool import ConnectionPool, OriginPool
from harness.engine.http.cookies import CachingCookieJar
from harness.engine.http.origin import Origin, is_absolute, is_plain_path, parse_url, parse_url_with_params, split_url
from harness.engine.http.prepared_request import PreparedRequest
from harness.engine.http.request_body import NO_BODY, RequestBody, encode_body
from harness.engine.http.request_event import RequestEvent, sole_recorder
from harness.engine.http.request_headers import USER_AGENT, HeaderFields, RequestHeaderCache, RequestHeaders, is_token
from harness.engine.http.request_methods import RequestMethods
from harness.engine.http.response import Response
from harness.engine.http.transport import Transport, request_options
from harness.engine.http.user_agent import UserAgent
from harness.engine.request_failures import RequestInterrupted

_NO_CONTEXT: dict[str, Any] = {}
_MAX_PREPARED_REQUESTS = 4096
_prepared_requests: dict[tuple[RequestHeaders, str | None, str, str], PreparedRequest] = {}
"""Requests without a body as they were sent before, by head, base URL, method and path: most are sent again and again,
by all users of a class. With more than :data:`_MAX_PREPARED_REQUESTS`, an id in every path, say, the oldest go."""


class _Base(NamedTuple):
    """What all requests to paths below ``base_url`` have in common."""

    origin: Origin
    prefix: str
    origin_pool: OriginPool
    header_cache: RequestHeaderCache


class HttpSession(RequestMethods):
    """Sends requests and records them. Keeps connections and cookies between them.

    A request never raises for what the server or the network did: see :attr:`Response.error`.
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
        """``settings``: the others of :class:`Settings`. With ``client_pool`` that pool's settings hold."""
        self.request_event = request_event
        self.user = user
        self.request_name: str | None = None
        """Name of all requests that are given none; see :meth:`rename_request`."""
        self.max_redirects = max_redirects
        self.max_retries = max_retries
        self._shares_pool = client_pool is not None
        if client_pool is not None:
            pool = ConnectionPool.for_client_pool(client_pool)
        else:
            pool = ConnectionPool(
                ClientSettings(insecure=insecure, ssl_context_factory=ssl_context_factory, **settings)
            )
        self._transport = Transport(pool)
        self._defaults = Headers({"User-Agent": USER_AGENT})
        self._defaults.update(headers or {})
        self._user_agent: UserAgent | None = None
        self._base: _Base | None = None
        self._environment = getattr(user, "environment", None)
        self._base_url, self._auth_header = without_credentials(base_url)

    @property
    def base_url(self) -> str | None:
        """What is put before paths."""
        return self._base_url

    @base_url.setter
    def base_url(self, url: str | None) -> None:
        self._base_url = url
        self._base = None

    @property
    def auth_header(self) -> str | None:
        """``Authorization`` of all requests that are given no ``auth=``: from credentials in the base URL."""
        return self._auth_header

    @auth_header.setter
    def auth_header(self, value: str | None) -> None:
        self._auth_header = value
        self._base = None

    @property
    def cookiejar(self) -> CachingCookieJar:
        """This user's cookies."""
        if self._transport.jar is None:
            self._transport.jar = CachingCookieJar()
        return self._transport.jar

    @property
    def client(self) -> UserAgent:
        """What is below: its pool, and the headers that all requests have."""
        if self._user_agent is None:
            self._user_agent = UserAgent(self._transport.pool, self._defaults)
        return self._user_agent

    def close(self) -> None:
        """Close the idle connections, unless the pool is shared; a later request makes a new one."""
        if not self._shares_pool:
            self._transport.pool.close()

    @contextmanager
    def rename_request(self, name: str) -> Iterator[None]:
        """Name all requests of a ``with`` block that are given no name."""
        self.request_name = name
        try:
            yield
        finally:
            self.request_name = None

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
        context: dict[str, Any] = _NO_CONTEXT,
        **more: Any,
    ) -> Any:
        """Send a request and record it; returns a :class:`Response`.

        ``url`` is a path below the base URL, or a whole URL. ``name`` is what the request is counted under, by default
        ``url``. ``json`` counts only without ``data``. With ``catch_response`` the result is used in a ``with`` block
        that judges it; with ``stream`` the request ends, for its time, with the answer's head, and its body is read by
        ``iter_content``, ``iter_lines``, ``read`` or ``content``. ``more``: ``params``, ``files``, ``max_redirects``,
        ``max_retries``; what else there is joins the form of a POST, and the query of others.
        """
        if not name:
            name = self.request_name or url
        verb = method.upper()
        params = files = None
        max_redirects, max_retries = self.max_redirects, self.max_retries
        if more:
            params, files = more.pop("params", None), more.pop("files", None)
            max_redirects = _number(more.pop("max_redirects", None), max_redirects)
            max_retries = _number(more.pop("max_retries", None), max_retries)
            if more and verb == "POST":
                data = _merged(data, more)
            elif more:
                params = _merged(params, more)
        if not allow_redirects:
            max_redirects = 0
        if self.user is not None:
            context = {**self.user.context(), **context}
        elif context is _NO_CONTEXT:
            context = {}

        base = self._base if self._base is not None else self._find_base()
        prepared = None
        if base is not None and data is None and json is None and params is None and not files:
            header_cache = base.header_cache if self._user_agent is None else self._header_cache(base.origin)
            authorization = basic_auth(*auth) if auth else None
            head = header_cache.for_request(headers, authorization, None) if headers or auth else header_cache.default
            prepared = _prepared_requests.get((head, self._base_url, verb, url)) or self._prepare_cached(
                base, head, verb, url
            )
        if base is not None and prepared is not None:
            origin_pool = base.origin_pool
        else:
            prepared = self._prepare(verb, url, params, headers, auth, encode_body(data, json, files))
            origin_pool = self._transport.pool.origin_pool(prepared.origin)
        full_url = prepared.url
        response_class = ResponseContextManager if catch_response else Response
        if origin_pool.rate_limiter is not None:
            origin_pool.rate_limiter.take_turn()
        start_s = perf_counter()
        try:
            response = self._transport.send(
                prepared, origin_pool, request_options(response_class, stream, max_redirects, max_retries), start_s
            )
            bytes_received = _declared_length(response) if stream else len(response.content or b"")
        except OSError as failure:
            response = response_class(prepared, 0, b"", None, None)
            response.error = failure
            bytes_received = 0
        except (GreenletExit, Timeout) as cut:
            interruption = RequestInterrupted() if isinstance(cut, GreenletExit) else cut
            self._event(method, name, start_s, perf_counter(), 0, context, full_url).record(None, interruption)
            raise
        end_s = response.arrived_s
        if end_s is None:
            end_s = perf_counter()
        if isinstance(response, ResponseContextManager):
            return response.attach(self._event(method, name, start_s, end_s, bytes_received, context, full_url))
        recorder = sole_recorder(self.request_event, self._environment)
        if recorder is not None:
            recorder.record(method, name, start_s, end_s, bytes_received, response.error, response, context, full_url)
        else:
            event = self._event(method, name, start_s, end_s, bytes_received, context, full_url)
            event.record(response, response.error)
        return response

    def _prepare_cached(self, base: _Base, head: RequestHeaders, verb: str, path: str) -> PreparedRequest | None:
        """A request without a body, made once for all that are alike; None where ``path`` is no plain one."""
        if not is_plain_path(path):
            return None
        prepared = PreparedRequest(
            _checked(verb), f"{self._base_url}{path}", base.origin, base.prefix + path, head, NO_BODY
        )
        if prepared.body_chunks() is None:
            prepared.encode_once()
            if len(_prepared_requests) >= _MAX_PREPARED_REQUESTS:
                _prepared_requests.pop(next(iter(_prepared_requests)))
            _prepared_requests[head, self._base_url, verb, path] = prepared
        return prepared

    def _prepare(
        self,
        verb: str,
        url: str,
        params: Any,
        headers: HeaderFields,
        auth: tuple[str | bytes, str | bytes] | None,
        body: RequestBody,
    ) -> PreparedRequest:
        """A request of any response_class."""
        base = self._base
        if base is not None and params is None and is_plain_path(url):
            full_url = f"{self._base_url}{url}"
            origin, target = base.origin, base.prefix + url
            header_cache = base.header_cache if self._user_agent is None else self._header_cache(origin)
        else:
            full_url = url if is_absolute(url) else f"{self._base_url}{url}"
            origin, target = parse_url(full_url) if params is None else parse_url_with_params(full_url, params)
            header_cache = self._header_cache(origin)
        authorization = basic_auth(*auth) if auth else None
        if headers or authorization or body.content_type:
            head = header_cache.for_request(headers, authorization, body.content_type)
        else:
            head = header_cache.default
        return PreparedRequest(_checked(verb), full_url, origin, target, head, body, params)

    def _event(
        self,
        method: str,
        name: str,
        start_s: float,
        end_s: float,
        bytes_received: int,
        context: dict[str, Any],
        url: str,
    ) -> RequestEvent:
        return RequestEvent(
            self.request_event, self._environment, method, name, start_s, end_s, bytes_received, context, url
        )

    def _header_cache(self, origin: Origin) -> RequestHeaderCache:
        """As the default headers are now: :attr:`client` lets a scenario change them."""
        return RequestHeaderCache.for_session(origin, self._defaults, self._auth_header)

    def _find_base(self) -> _Base | None:
        """None where the base URL is such that paths cannot simply be put behind it."""
        if self._base_url is None or not is_absolute(self._base_url):
            return None
        url = URL(self._base_url)
        if not (url.path == "" or is_plain_path(url.path)) or url.params or url.query or url.fragment:
            return None
        origin, _ = split_url(url)
        header_cache = self._header_cache(origin)
        self._base = _Base(origin, url.path, self._transport.pool.origin_pool(origin), header_cache)
        return self._base


def _checked(verb: str) -> str:
    if not is_token(verb):
        raise ValueError(f"{verb!r} is no HTTP method")
    return verb


def _number(given: Any, otherwise: int) -> int:
    return otherwise if given is None else int(given)


def _merged(fields: Any, more: dict[str, Any]) -> Any:
    """Arguments that nothing knows join the form or the query, as in geventhttpclient, if these are fields."""
    if fields is None:
        return more
    return {**fields, **more} if isinstance(fields, dict) else fields


def _declared_length(response: Response) -> int:
    lengths = response.headers.getlist("content-length") if response.headers is not None else []
    return int(lengths[0]) if len(lengths) == 1 and lengths[0].isdecimal() else 0

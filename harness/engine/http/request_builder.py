"""Builds the requests of a session from its base URL and default headers."""

from __future__ import annotations

from typing import Any, NamedTuple

from geventhttpclient.client import IDEMPOTENT_METHODS
from geventhttpclient.header import Headers
from geventhttpclient.url import URL
from locust.contrib.fasthttp import FastHttpSession

from harness.engine.http.connection_pool import ConnectionPool, OriginPool
from harness.engine.http.origin import Origin, is_absolute, is_plain_path, parse_url, split_url
from harness.engine.http.prepared_request import PreparedRequest
from harness.engine.http.request_body import NO_BODY, RequestBody, encode_body
from harness.engine.http.request_headers import (
    HeaderFields,
    RequestHeaderCache,
    RequestHeaders,
    basic_auth,
    is_token,
    split_credentials,
)

_SIMPLE_METHODS = IDEMPOTENT_METHODS - {"HEAD"}
_MAX_PROCESS_REQUESTS = 4096
_process_requests: dict[tuple[RequestHeaders, str, str, str], PreparedRequest] = {}
"""Requests without a body by headers, base URL, method and path. One for the process, because all users of a class send
the same ones. With more than :data:`_MAX_PROCESS_REQUESTS`, such as an id in every path, the oldest are dropped."""


class BaseUrl(NamedTuple):
    """What all requests to paths below a base URL share."""

    url: str
    authorization: str | None
    origin: Origin
    path: str
    origin_pool: OriginPool
    header_cache: RequestHeaderCache


class RequestBuilder(FastHttpSession):
    """The half of a session that builds requests from its base URL and its default headers."""

    auth_header: str | None
    """``Authorization`` of requests without ``auth=``, from the credentials in the base URL."""

    def __init__(self, base_url: str | None, default_headers: Headers, pool: ConnectionPool) -> None:
        self._pool = pool
        self.base_url, self.auth_header = split_credentials(base_url)
        self._default_headers = default_headers
        self._default_headers_exposed = False
        """Whether the scenario may change the default headers at any time."""
        self._base: BaseUrl | None = None
        """The last result of :meth:`_find_base`."""

    def _prepare(
        self,
        method: str,
        url: str,
        params: Any,
        headers: HeaderFields,
        auth: tuple[str | bytes, str | bytes] | None,
        data: Any,
        json: Any,
        files: Any,
    ) -> tuple[PreparedRequest, OriginPool]:
        """A request, and the connections to its origin."""
        base = self._base
        if base is None or base.url is not self.base_url or base.authorization is not self.auth_header:
            base = self._base = self._find_base()
        if base is not None and data is None and json is None and params is None and not files:
            # Most requests have no body; all that are alike are built and encoded once.
            cache = self._header_cache(base.origin) if self._default_headers_exposed else base.header_cache
            authorization = basic_auth(*auth) if auth else None
            request_headers = cache.for_request(headers, authorization, None) if headers or auth else cache.default
            cached = _process_requests.get((request_headers, base.url, method, url)) or _build_cached(
                base, request_headers, method, url
            )
            if cached is not None:
                return cached, base.origin_pool
        request = self._build(method, url, params, headers, auth, encode_body(data, json, files))
        return request, self._pool.origin_pool(request.origin)

    def _find_base(self) -> BaseUrl | None:
        """What requests share. None if paths cannot simply be appended to the base URL."""
        if self.base_url is None or not is_absolute(self.base_url):
            return None
        url = URL(self.base_url)
        if not (url.path == "" or is_plain_path(url.path)) or url.params or url.query or url.fragment:
            return None
        origin, _ = split_url(url)
        origin_pool, header_cache = self._pool.origin_pool(origin), self._header_cache(origin)
        return BaseUrl(self.base_url, self.auth_header, origin, url.path, origin_pool, header_cache)

    def _header_cache(self, origin: Origin) -> RequestHeaderCache:
        """The cache for the current default headers."""
        return RequestHeaderCache.for_session(origin, self._default_headers, self.auth_header)

    def _build(
        self,
        method: str,
        url: str,
        params: Any,
        headers: HeaderFields,
        auth: tuple[str | bytes, str | bytes] | None,
        body: RequestBody,
    ) -> PreparedRequest:
        """Build a request of any kind."""
        base = self._base
        if base is not None and params is None and is_plain_path(url):
            full_url = f"{base.url}{url}"
            origin, target = base.origin, base.path + url
            header_cache = self._header_cache(origin) if self._default_headers_exposed else base.header_cache
        else:
            full_url = url if is_absolute(url) else f"{self.base_url}{url}"
            origin, target = parse_url(full_url) if params is None else split_url(URL(full_url, params=params))
            header_cache = self._header_cache(origin)
        authorization = basic_auth(*auth) if auth else None
        if headers or authorization or body.content_type:
            request_headers = header_cache.for_request(headers, authorization, body.content_type)
        else:
            request_headers = header_cache.default
        return PreparedRequest(_validated(method), full_url, origin, target, request_headers, body, params)


def _build_cached(base: BaseUrl, headers: RequestHeaders, method: str, path: str) -> PreparedRequest | None:
    """Build a request without a body for :data:`_process_requests`. Returns None if ``path`` has to be encoded."""
    if not is_plain_path(path):
        return None
    request = PreparedRequest(_validated(method), f"{base.url}{path}", base.origin, base.path + path, headers, NO_BODY)
    if request.body_chunks() is None:
        request.encoded = request.encode(request.target)
        request.is_simple = method in _SIMPLE_METHODS and not headers.closes_connection
        if len(_process_requests) >= _MAX_PROCESS_REQUESTS:
            _process_requests.pop(next(iter(_process_requests)))
        _process_requests[headers, base.url, method, path] = request
    return request


def _validated(method: str) -> str:
    if not is_token(method):
        raise ValueError(f"{method!r} is not a valid HTTP method")
    return method

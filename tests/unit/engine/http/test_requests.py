"""The bytes of requests, and the requests that follow redirects."""

from __future__ import annotations

import io
from decimal import Decimal
from typing import Any

import pytest
from geventhttpclient.header import Headers

from harness.engine.http.origin import Origin, is_plain_path, parse_url
from harness.engine.http.prepared_request import PreparedRequest
from harness.engine.http.redirect import build_redirect_request
from harness.engine.http.request_body import encode_body
from harness.engine.http.request_headers import RequestHeaderCache
from harness.engine.request_failures import RedirectRefused

ORIGIN = Origin("http", "host", 80)


def request(
    method: str = "GET",
    url: str = "http://host/path",
    *,
    headers: dict[str, Any] | None = None,
    data: Any = None,
    json: Any = None,
    auth: str | None = None,
) -> PreparedRequest:
    origin, target = parse_url(url)
    body = encode_body(data, json, None)
    header_cache = RequestHeaderCache.for_session(origin, Headers({"User-Agent": "test"}), None)
    return PreparedRequest(
        method, url, origin, target, header_cache.for_request(headers, auth, body.content_type), body
    )


def bytes_of(prepared: PreparedRequest) -> bytes:
    return prepared.encode(prepared.target) + b"".join(prepared.body_chunks() or ())


def test_a_plain_request() -> None:
    assert bytes_of(request()) == (
        b"GET /path HTTP/1.1\r\nHost: host\r\nUser-Agent: test\r\nAccept-Encoding: gzip, deflate, br\r\n\r\n"
    )


@pytest.mark.parametrize(
    ("url", "origin", "target"),
    [
        ("http://Host", Origin("http", "host", 80), "/"),
        ("http://bücher.example/", Origin("http", "xn--bcher-kva.example", 80), "/"),
        ("https://h?a=b#c", Origin("https", "h", 443), "/?a=b"),
        ("http://u:p@h:8080/a b/é", Origin("http", "h", 8080), "/a%20b/%C3%A9"),
        ("http://[::1]:81/%7Ex%2Fy", Origin("http", "::1", 81), "/~x%2Fy"),
        ("http+unix://%2Frun%2FA.sock/x", Origin("http+unix", "/run/A.sock", 0), "/x"),
    ],
)
def test_a_url_has_an_origin_and_a_target(url: str, origin: Origin, target: str) -> None:
    assert parse_url(url) == (origin, target)
    assert parse_url(origin.url + target) == (origin, target)


@pytest.mark.parametrize(
    "url", ["ftp://h/", "http://", "http+unix:///x", "http://h:99999/", "http://a..b/", "http://a\x00b/"]
)
def test_a_url_without_an_origin_is_rejected(url: str) -> None:
    with pytest.raises(ValueError, match=r"URL|host|[Pp]ort"):
        parse_url(url)


@pytest.mark.parametrize(
    ("origin", "authority"),
    [
        (Origin("http", "h", 80), "h"),
        (Origin("http", "h", 443), "h:443"),
        (Origin("https", "::1", 443), "[::1]"),
        (Origin("https", "::1", 1), "[::1]:1"),
        (Origin("http+unix", "/a", 0), "localhost"),
    ],
)
def test_the_host_header_omits_a_default_port(origin: Origin, authority: str) -> None:
    assert origin.authority == authority


@pytest.mark.parametrize("path", ["/", "/a/b.c?d=e&f[]=/?", "/a:b@c"])
def test_plain_paths_are_sent_unchanged(path: str) -> None:
    assert is_plain_path(path)
    assert parse_url("http://h" + path) == (Origin("http", "h", 80), path)


@pytest.mark.parametrize("path", ["", "a", "/a b", "/é", "/a%2f", "/a#b", "/a?", "/a\n", "/a;b", '/"'])
def test_other_paths_are_not_plain(path: str) -> None:
    assert not is_plain_path(path)


@pytest.mark.parametrize(
    ("prepared", "line"),
    [
        (request("POST"), b"Content-Length: 0"),
        (request("POST", data="abc"), b"Content-Length: 3"),
        (request("GET", json=1), b"Content-Type: application/json"),
        (request("POST", data=iter([b"x"])), b"Transfer-Encoding: chunked"),
        (request("POST", data=io.BytesIO(b"xy")), b"Content-Length: 2"),
        (request(headers={"X": ["1", "2"]}), b"X: 1\r\nX: 2"),
        (request(headers={"user-agent": "mine"}), b"user-agent: mine"),
        (request(headers={"Host": "other"}), b"Host: other"),
        (request(auth="Basic x"), b"Authorization: Basic x"),
    ],
)
def test_request_headers(prepared: PreparedRequest, line: bytes) -> None:
    head = bytes_of(prepared).partition(b"\r\n\r\n")[0]
    assert b"\r\n" + line in head
    names = [field.partition(b":")[0].lower() for field in head.split(b"\r\n")[1:]]
    assert names.count(b"host") == names.count(b"user-agent") == 1
    assert (b"content-length" in names) + (b"transfer-encoding" in names) <= 1


def test_a_chunked_request_has_no_content_length() -> None:
    prepared = request("POST", data="hello", headers={"Transfer-Encoding": "chunked", "Content-Length": "99"})
    assert b"Content-Length" not in bytes_of(prepared)
    assert bytes_of(prepared).endswith(b"\r\n\r\n5\r\nhello\r\n0\r\n\r\n")


@pytest.mark.parametrize("headers", [{"X": "a\r\nInjected: b"}, {"X\n": "a"}, {"": "a"}, {"X": "€"}, {5: "a"}])
def test_invalid_headers_are_rejected(headers: dict[Any, Any]) -> None:
    with pytest.raises((ValueError, AttributeError)):
        request(headers=headers)


@pytest.mark.parametrize("status", [301, 302, 303])
def test_some_redirects_drop_method_and_body(status: int) -> None:
    prepared = request("POST", data="body", headers={"Content-Language": "en", "Cookie": "a=b", "X": "y"})
    text = bytes_of(build_redirect_request(prepared, status, "/next?x=1", ORIGIN))
    assert text.startswith(b"GET /next?x=1 HTTP/1.1\r\nHost: host\r\n")
    assert b"X: y" in text
    for gone in (b"body", b"Content-Type", b"Content-Length", b"Cookie"):
        assert gone not in text


@pytest.mark.parametrize("status", [307, 308])
def test_some_redirects_keep_method_and_body(status: int) -> None:
    for data in ("body", io.BytesIO(b"body")):
        prepared = request("PUT", data=data)
        before = bytes_of(prepared)
        assert bytes_of(build_redirect_request(prepared, status, "/path", ORIGIN)) == before
    with pytest.raises(RedirectRefused) as refused:
        build_redirect_request(request("PUT", data=iter([b"x"])), status, "/next", ORIGIN)
    assert refused.value.kind == "redirect-body-not-replayable"


def test_a_redirected_head_request_stays_one() -> None:
    assert build_redirect_request(request("HEAD"), 303, "/", ORIGIN).method == "HEAD"


@pytest.mark.parametrize(
    ("location", "kept"),
    [
        ("/x", True),
        ("http://host/x", True),
        ("https://host/x", False),
        ("//other/x", False),
        ("http://host:81/", False),
    ],
)
def test_credentials_stay_with_their_origin(location: str, kept: bool) -> None:
    prepared = request(auth="Basic x", headers={"Host": "mine"})
    text = bytes_of(build_redirect_request(prepared, 302, location, ORIGIN))
    assert (b"Authorization" in text, b"Host: mine" in text) == (kept, kept)


@pytest.mark.parametrize(
    ("location", "url"),
    [
        ("other", "http://host/a/other"),
        ("../b", "http://host/b"),
        ("?q=1", "http://host/a/path?q=1"),
        ("//h2/c#d", "http://h2/c#d"),
        ("/caf\xc3\xa9", "http://host/café"),
        ("/caf\xe9", "http://host/café"),
    ],
)
def test_locations_are_relative_to_the_request(location: str, url: str) -> None:
    assert build_redirect_request(request(url="http://host/a/path"), 302, location, ORIGIN).url == url


@pytest.mark.parametrize(
    ("location", "kind"),
    [
        ("ftp://h/", "redirect-invalid-url"),
        ("http://[x", "redirect-invalid-url"),
        ("http://h:port/", "redirect-invalid-url"),
        ("http+unix://%2Frun%2Fdocker.sock/x", "redirect-to-unix-socket"),
    ],
)
def test_some_redirects_are_refused(location: str, kind: str) -> None:
    with pytest.raises(RedirectRefused) as refused:
        build_redirect_request(request(), 302, location, ORIGIN)
    assert refused.value.kind == kind


@pytest.mark.parametrize("values", [(1, True, 1.0), (0.0, -0.0), (Decimal("1.0"), Decimal("1.00"))])
def test_equal_values_are_sent_as_they_are_written(values: tuple[Any, ...]) -> None:
    for value in values:
        assert f"X: {value}\r\n".encode() in bytes_of(request(headers={"X": value}))
    for value in values:
        header_cache = RequestHeaderCache.for_session(ORIGIN, Headers({"X": value}), None)
        assert f"X: {value}\r\n" in header_cache.default.text

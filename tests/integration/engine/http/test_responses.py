"""The attributes of responses, and how bodies are decoded."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from locust.exception import LocustError

from harness.engine.http import kept_bytes
from harness.engine.http.kept_bytes import KeptBytes
from harness.engine.request_failures import ResponseTooLarge
from tests.support.http.echo import CODERS, TEXT, Echo
from tests.support.http.hostile import hostile_server, ok, responding_with
from tests.support.http.users import HARNESS, Driven, driven

CODINGS = [coding for coding in CODERS if coding not in ("gzip of two members", "zstd", "unheard-of")]


def test_a_good_response(user: Driven, echo: Echo) -> None:
    response = user.get("/status/201?a=1")
    assert (response.status_code, response.ok) == (201, True)
    assert (response.content, response.text) == (b"status 201", "status 201")
    assert response.url == f"{echo.url}/status/201?a=1"
    assert isinstance(response.elapsed, timedelta)
    assert timedelta(0) < response.elapsed < timedelta(seconds=10)
    assert not getattr(response, "error", None)
    response.raise_for_status()


def test_the_request_of_a_response(user: Driven, echo: Echo) -> None:
    response = user.call(lambda: user.client.put("/echo", data="text", headers={"X-A": "1"}))
    request = response.request
    assert (request.method, request.url, request.body) == ("PUT", f"{echo.url}/echo", b"text")
    assert request.headers["x-a"] == request.headers["X-A"] == "1"


@pytest.mark.parametrize("status", [400, 404, 429, 500, 503])
def test_an_error_status_is_a_failure_with_a_response(user: Driven, status: int) -> None:
    response = user.get(f"/status/{status}")
    assert (response.status_code, response.ok) == (status, False)
    assert response.content == f"status {status}".encode()
    failure = user.last["exception"]
    assert type(failure).__name__ == "LocustBadStatusCode"
    assert f"code={status}" in str(failure)
    with pytest.raises(type(failure)):
        response.raise_for_status()


def test_the_body_of_an_error_response_can_be_binary() -> None:
    """Locust's client decodes it to log it, and raises ``UnicodeDecodeError`` in the task."""
    raw = ok(b"\xff\x00", status=b"500 x")
    with hostile_server(responding_with(raw)) as server, driven(HARNESS, server.url) as user:
        response = user.get("/")
        assert (response.status_code, response.content) == (500, b"\xff\x00")
        assert "code=500" in str(user.last["exception"])


@pytest.mark.parametrize("status", [200, 201, 202, 203, 204, 205, 206, 207, 208, 226, 304])
def test_statuses_that_are_not_failures(user_of: Callable[..., Driven], status: int) -> None:
    body = b"" if status in (204, 205, 304) else b"body"
    raw = ok(body, status=b"%d x" % status)
    if status in (204, 304):
        raw = raw.replace(b"Content-Length: 0\r\n", b"")
    with hostile_server(responding_with(raw)) as server:
        user = user_of(server.url)
        response = user.get("/")
        assert (response.status_code, response.content, user.last["exception"]) == (status, body, None)


def test_headers_have_no_case_and_keep_their_text(user_of: Callable[..., Driven]) -> None:
    raw = ok(b"", b"X-One: a  b", b"x-TWO: 1", b"X-Two:2", b"X-Latin: K\xe4se", b"X-Empty:")
    with hostile_server(responding_with(raw)) as server:
        headers = user_of(server.url).get("/").headers
    assert headers["x-one"] == headers["X-ONE"] == headers.get("X-One") == "a  b"
    assert headers["x-latin"] == "Käse"
    assert headers["x-empty"] == ""
    assert headers["X-Two"] == ["1", "2"]
    assert headers.getlist("x-two") == headers.get_all("x-two") == ["1", "2"]
    assert "X-oNe" in headers
    assert "x-three" not in headers
    assert (headers.get("x-three"), headers.get("x-three", "no")) == (None, "no")
    assert ("x-TWO", "1") in list(headers.items())
    with pytest.raises(KeyError):
        headers["x-three"]


def test_a_long_header(user_of: Callable[..., Driven]) -> None:
    """As some single sign-on systems send; far below the limit."""
    with hostile_server(responding_with(ok(b"", b"X-Long: " + b"a" * 40_000))) as server:
        user = user_of(server.url)
        assert user.get("/").headers["x-long"] == "a" * 40_000
        assert user.last["exception"] is None


@pytest.mark.parametrize("value", [{"a": [1, None, "ü"]}, [], "text", 1.5, None])
def test_json(user: Driven, value: Any) -> None:
    coded = json.dumps(value, ensure_ascii=False).encode()
    assert user.get("/bytes", params={"hex": coded.hex(), "type": "application/json"}).json() == value


@pytest.mark.parametrize("body", [b"", b"<html>", b'{"a":', b"\xff\xfe\xfd"])
def test_json_of_another_content_type(user: Driven, body: bytes) -> None:
    response = user.get("/bytes", params={"hex": body.hex(), "type": "application/json; charset=utf-8"})
    with pytest.raises(json.JSONDecodeError):
        response.json()
    assert user.last["exception"] is None


@pytest.mark.parametrize(
    ("kind", "body", "encoding", "text"),
    [
        ("text/html; charset=utf-8", "Käse €".encode(), "utf-8", "Käse €"),
        ('text/html; charset="iso-8859-15"', "Käse €".encode("iso-8859-15"), "iso-8859-15", "Käse €"),
        ("text/plain", "Käse".encode("latin-1"), "ISO-8859-1", "Käse"),
        ("application/json", '{"a": "Käse"}'.encode(), "utf-8", '{"a": "Käse"}'),
        ("text/plain; charset=utf-8", b"K\xe4se", "utf-8", "K�se"),
        ("image/png", b"", None, None),
    ],
)
def test_text_has_the_encoding_of_the_headers(
    user: Driven, kind: str, body: bytes, encoding: str | None, text: str | None
) -> None:
    response = user.get("/bytes", params={"hex": body.hex(), "type": kind})
    if text is None:
        assert response.content == body
        return
    assert (response.text, response.encoding) == (text, encoding)


def test_the_encoding_of_text_is_detected(user: Driven) -> None:
    body = ("Größe über alles, Käse für Füchse. " * 5).encode()
    assert user.get("/bytes", params={"hex": body.hex()}).text == body.decode()


def test_the_encoding_can_be_set(user: Driven) -> None:
    response = user.get("/body?charset=latin-1&type=text/plain".replace("latin-1", "iso-8859-15"))
    response.encoding = "iso-8859-15"
    assert response.text == TEXT


@pytest.mark.parametrize("coding", CODINGS)
def test_encoded_bodies_are_decoded(user: Driven, coding: str) -> None:
    response = user.get("/body", params={"coding": coding})
    assert (response.content.decode(), response.text) == (TEXT, TEXT)
    assert user.last["response_length"] == len(TEXT.encode())


def test_codings_have_no_case_and_aliases() -> None:
    """RFC 9110, 8.4.1.3: ``x-gzip`` is gzip. Locust's client raises an exception that ends the task."""
    body = CODERS["gzip"](b"sound")
    with (
        hostile_server(responding_with(ok(body, b"content-encoding: X-GZip"))) as server,
        driven(HARNESS, server.url) as user,
    ):
        assert user.get("/").content == b"sound"


def test_bytes_after_the_end_of_gzip_are_padding(user_of: Callable[..., Driven]) -> None:
    body = CODERS["gzip"](b"sound") + bytes(8)
    with hostile_server(responding_with(ok(body, b"Content-Encoding: gzip"))) as server:
        assert user_of(server.url).get("/").content == b"sound"


def test_a_gzip_body_can_have_several_members(echo: Echo) -> None:
    """RFC 1952, 2.2. Locust's client returns only the first."""
    with driven(HARNESS, echo.url) as user:
        assert user.get("/body", params={"coding": "gzip of two members"}).text == TEXT


def test_zstd_is_decoded_but_not_requested_by_default(echo: Echo) -> None:
    """Locust's client does not support it. Both must request the same codings, or servers would respond differently."""
    with driven(HARNESS, echo.url) as user:
        response = user.get("/body", params={"coding": "zstd"}, headers={"Accept-Encoding": "zstd"})
        assert (response.headers["content-encoding"], response.text) == ("zstd", TEXT)
        assert ["accept-encoding", "gzip, deflate, br"] in user.get("/echo").json()["headers"]


def test_codings_are_decoded_in_reverse_order() -> None:
    """RFC 9110, 8.4: they are listed in the order in which they were applied. Locust's client raises ``ValueError``."""
    body = CODERS["gzip"](CODERS["deflate"](b"sound"))
    raw = ok(body, b"Content-Encoding: deflate, gzip")
    with hostile_server(responding_with(raw)) as server, driven(HARNESS, server.url) as user:
        assert user.get("/").content == b"sound"


def test_an_unknown_coding_is_a_failure(echo: Echo) -> None:
    """The request is recorded once. Locust's client raises ``ValueError`` in the task and records nothing."""
    with driven(HARNESS, echo.url) as user:
        response = user.get("/body", params={"coding": "unheard-of"})
        assert user.last["exception"] is response.error is not None
        assert "content coding" in str(response.error)


@pytest.mark.parametrize("coding", CODINGS)
def test_an_empty_body_can_have_a_coding(coding: str) -> None:
    """Many servers do so for HEAD and 304 (RFC 9110, 8.4 and 15.4.5). To Locust's client it is a broken body."""
    raw = b"HTTP/1.1 304 x\r\nContent-Length: 100\r\nContent-Encoding: %b\r\n\r\n" % coding.split()[0].encode()
    with hostile_server(responding_with(raw)) as server, driven(HARNESS, server.url) as user:
        for method in ("GET", "HEAD"):
            response = user.request(method, "/")
            assert (response.content, user.last["exception"]) == (b"", None)
        assert server.connections == 1


def test_cookies_of_a_response(echo: Echo) -> None:
    """As in requests. Locust's client keeps cookies only in the jar of the session."""
    with driven(HARNESS, echo.url) as user:
        response = user.get("/cookies", params={"set": ["a=1", "b=2; Path=/elsewhere"]})
        assert dict(response.cookies) == {"a": "1", "b": "2"}


def test_a_failed_request_has_an_empty_response(user_of: Callable[..., Driven]) -> None:
    user = user_of("http://127.0.0.1:9")
    response = user.get("/a")
    assert (response.status_code, response.content, response.text, response.headers) == (0, None, None, None)
    assert isinstance(response.error, ConnectionRefusedError)
    assert user.last["exception"] is response.error
    assert response.url == "http://127.0.0.1:9/a"
    assert response.request.method == "GET"
    with pytest.raises(ConnectionRefusedError):
        response.raise_for_status()


def test_a_response_can_be_marked_only_with_catch_response(user: Driven) -> None:
    response = user.get("/echo")
    for mark in (response.success, lambda: response.failure("no")):
        with pytest.raises(LocustError, match="catch_response=True"):
            mark()


@pytest.mark.parametrize("charset", ["base64", "idna", "punycode", "rot13", "undefined", "no-such-charset"])
def test_a_charset_that_is_not_a_text_encoding_is_ignored(charset: str) -> None:
    """With Locust, reading the text raises."""
    body = b'{"a": "well-known"}'
    head = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain; charset=%b\r\n" % charset.encode()
    raw = head + b"Content-Length: %d\r\n\r\n%b" % (len(body), body)
    with hostile_server(responding_with(raw)) as server, driven(HARNESS, server.url) as user:
        response = user.get("/")
        assert (response.text, response.json()) == (body.decode(), {"a": "well-known"})


def test_names_of_older_libraries(user: Driven, echo: Echo) -> None:
    response = user.get("/status/404")
    assert (response.status, response.info()["content-length"]) == ("404", "10")
    assert user.client._build_url("/a") == f"{echo.url}/a"
    assert user.client._build_url("http://other/a") == "http://other/a"


def test_a_worker_counts_large_bodies_beyond_what_it_keeps(monkeypatch: pytest.MonkeyPatch, echo: Echo) -> None:
    """Of all its users together, until their responses are dropped."""
    monkeypatch.setattr(kept_bytes, "MAX_KEPT_BYTES", 1_000_000)
    with driven(HARNESS, echo.url) as user:
        for _ in range(3):  # it is as it was when the responses are gone
            kept, counted = user.get("/chunks/600"), user.get("/chunks/600")
            assert (len(kept.content), counted.bytes_received, KeptBytes.total) == (600_000, 600_000, 600_000)
            assert [recorded["response_length"] for recorded in user.recorded] == [600_000]
            with pytest.raises(LocustError):
                counted.content  # noqa: B018
            assert user.get("/status/200").content == b"status 200"
            del kept, counted
            user.recorded.clear()
            assert KeptBytes.total == 0


def test_an_endless_stream_that_is_kept_ends_at_the_bound_of_the_worker(
    monkeypatch: pytest.MonkeyPatch, echo: Echo
) -> None:
    monkeypatch.setattr(kept_bytes, "MAX_KEPT_BYTES", 500_000)
    with driven(HARNESS, echo.url) as user:
        response = user.get("/chunks/900", stream=True)
        assert len(user.call(lambda: response.content)) < 600_000
        assert type(user.last["exception"]) is ResponseTooLarge
        read = user.get("/chunks/900", stream=True).iter_content(1000)
        assert sum(map(len, user.call(lambda: list(read)))) == 900_000

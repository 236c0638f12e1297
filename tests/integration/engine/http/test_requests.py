"""The method, target, headers and body that the server receives from each call."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterator
from email import message_from_bytes
from email.message import Message
from pathlib import Path
from typing import Any, cast

import pytest
from locust.exception import StopTest

from tests.support.http.echo import Echo
from tests.support.http.hostile import Peer, hostile_server, ok, responding_with
from tests.support.http.users import HARNESS, Driven, driven

FORM = "application/x-www-form-urlencoded; charset=utf-8"


def echoed(response: Any) -> dict[str, Any]:
    """The request as the echo server received it."""
    assert response.status_code == 200, response.error
    result: dict[str, Any] = json.loads(response.content)
    return result


def header(response: Any, name: str) -> str | None:
    """The value of a request header; None if it was not sent."""
    values = [value for field, value in echoed(response)["headers"] if field == name.lower()]
    assert len(values) < 2, values
    return values[0] if values else None


@pytest.mark.parametrize("method", ["get", "post", "put", "patch", "delete", "options"])
def test_each_call_sends_its_method(user: Driven, method: str) -> None:
    response = user.call(lambda: getattr(user.client, method)("/echo?a=1"))
    assert echoed(response)["method"] == method.upper()
    assert echoed(response)["target"] == "/echo?a=1"
    assert user.last["request_type"] == method.upper()


def test_head_sends_head_and_has_no_body(user: Driven) -> None:
    response = user.call(lambda: user.client.head("/status/200"))
    assert (response.status_code, response.content, response.text) == (200, b"", "")
    assert response.headers["content-length"] == "10"
    assert (user.last["request_type"], user.client.get("/status/200").content) == ("HEAD", b"status 200")


def test_request_takes_any_method(user: Driven) -> None:
    assert echoed(user.request("PURGE", "/echo"))["method"] == "PURGE"
    assert user.last["request_type"] == "PURGE"


@pytest.mark.parametrize(
    ("path", "target"),
    [
        ("/", "/"),
        ("", "/"),
        ("/a/b;c=1?d=e&f", "/a/b;c=1?d=e&f"),
        ("/a?b=/c?d", "/a?b=/c?d"),
        ("/a#part", "/a"),
        ("/a?b#part", "/a?b"),
        ("/a b", "/a%20b"),
        ("/a%20b%2Fc", "/a%20b%2Fc"),
        ("/grün/€?q=ß", "/gr%C3%BCn/%E2%82%AC?q=%C3%9F"),
        ('/a?b="<>"', "/a?b=%22%3C%3E%22"),
        ("/100%zz", "/100%25zz"),
        ("/a?b=c+d", "/a?b=c+d"),
    ],
)
def test_targets_are_in_origin_form_and_percent_encoded(user: Driven, path: str, target: str) -> None:
    assert echoed(user.get(path))["target"] == target
    assert user.last["name"] == path


@pytest.mark.parametrize(
    ("path", "params", "target"),
    [
        ("/a", {"b": 1, "c": "x y"}, "/a?b=1&c=x+y"),
        ("/a?z=0", {"b": 1}, "/a?z=0&b=1"),
        ("/a", {"b": [1, 2], "c": None}, "/a?b=1&b=2"),
        ("/a", [("b", "1"), ("b", "ü&")], "/a?b=1&b=%C3%BC%26"),
        ("/a", "b=1&c", "/a?b=1&c"),
        ("/a#part", {"b": 1}, "/a?b=1"),
        ("/a", {}, "/a"),
        ("/a", None, "/a"),
    ],
)
def test_params_are_added_to_the_query(user: Driven, path: str, params: Any, target: str) -> None:
    assert echoed(user.get(path, params=params))["target"] == target
    assert user.last["name"] == path  # the query must not create a name per value


def test_unknown_arguments_become_params_or_form_fields(user: Driven) -> None:
    """Locustfiles rely on this behaviour of geventhttpclient."""
    assert echoed(user.get("/a", b="1"))["target"] == "/a?b=1"
    assert echoed(user.get("/a", params={"c": "2"}, b="1"))["target"] == "/a?c=2&b=1"
    result = echoed(user.request("POST", "/a", data={"c": "2"}, b="1"))
    assert (result["target"], result["body"]) == ("/a", "c=2&b=1")


def test_a_whole_url_overrides_the_host_setting(user_of: Callable[..., Driven], echo: Echo) -> None:
    user = user_of("http://127.0.0.1:9")
    response = user.get(f"{echo.url}/echo")
    assert echoed(response)["target"] == "/echo"
    assert (user.last["name"], response.url) == (f"{echo.url}/echo", f"{echo.url}/echo")


def test_the_host_setting_can_have_a_path(user_of: Callable[..., Driven], echo: Echo) -> None:
    assert echoed(user_of(f"{echo.url}/shop").get("/cart"))["target"] == "/shop/cart"


def test_the_host_header_has_a_nondefault_port(user: Driven, echo: Echo) -> None:
    assert header(user.get("/echo"), "host") == f"127.0.0.1:{echo.port}"


def test_headers_of_a_request_override_those_of_the_class(user_of: Callable[..., Driven], echo: Echo) -> None:
    user = user_of(echo.url, default_headers={"X-Shop": "1", "X-Run": "default"})
    response = user.get("/echo", headers={"x-run": "given", "X-Latin": "Käse"})
    assert [header(response, name) for name in ("x-shop", "x-run", "x-latin")] == ["1", "given", "Käse"]
    assert header(user.get("/echo"), "x-run") == "default"


def test_a_header_with_several_lines(user: Driven) -> None:
    response = user.get("/echo", headers={"X-Two": ["1", "2"]})
    assert [pair for pair in echoed(response)["headers"] if pair[0] == "x-two"] == [["x-two", "1"], ["x-two", "2"]]


def test_headers_may_be_pairs(user: Driven) -> None:
    assert header(user.get("/echo", headers=[("X-Shop", "1"), ("X-Shop", "2")]), "x-shop") == "2"
    assert header(user.request("POST", "/echo", json={}, headers=(("X-Shop", "3"),)), "x-shop") == "3"


def test_headers_of_one_request_are_not_sent_with_the_next(user: Driven) -> None:
    given = {"X-Once": "1"}
    user.get("/echo", headers=given)
    assert given == {"X-Once": "1"}
    assert header(user.get("/echo"), "x-once") is None


def test_default_headers_of_the_client(user: Driven) -> None:
    response = user.get("/echo")
    assert {"gzip", "deflate", "br"} <= set((header(response, "accept-encoding") or "").replace(" ", "").split(","))
    assert header(response, "user-agent")
    assert header(response, "content-length") is None
    assert header(user.get("/echo", headers={"accept-encoding": "identity"}), "accept-encoding") == "identity"
    assert header(user.get("/echo", headers={"user-agent": "me"}), "user-agent") == "me"


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH"])
def test_methods_that_imply_a_body_send_a_zero_length(user: Driven, method: str) -> None:
    response = user.request(method, "/echo")
    assert (header(response, "content-length"), echoed(response)["body"]) == ("0", "")


def blocks() -> Iterator[bytes]:
    yield b"one, "
    yield b""
    yield b"two"


@pytest.mark.parametrize("method", ["post", "put", "patch", "delete"])
@pytest.mark.parametrize(
    ("data", "body", "kind"),
    [
        ({"a": "1", "b": "x y", "c": "ü"}, "a=1&b=x+y&c=%C3%BC", FORM),
        ("text ü", "text ü", "text/plain; charset=utf-8"),
        (b"\x00\xff", "\x00\xff", "application/octet-stream"),
        ("", "", None),
        (None, "", None),
    ],
)
def test_data_is_the_body(user: Driven, method: str, data: Any, body: str, kind: str | None) -> None:
    response = user.call(lambda: getattr(user.client, method)("/echo", data=data))
    sent = echoed(response)["body"].encode("latin-1")
    assert sent == body.encode("latin-1" if isinstance(data, bytes) else "utf-8")
    assert header(response, "content-type") == kind
    assert header(response, "content-length") == (str(len(sent)) if sent or method != "delete" else None)


def test_data_of_unknown_length_is_sent_in_chunks(user: Driven) -> None:
    response = user.call(lambda: user.client.post("/echo", data=blocks()))
    assert echoed(response)["body"] == "one, two"
    assert (header(response, "transfer-encoding"), header(response, "content-length")) == ("chunked", None)


def test_data_can_be_a_file(user: Driven, tmp_path: Path) -> None:
    path = tmp_path / "order"
    path.write_bytes(b"\x00order" * 5000)
    with path.open("rb") as file:
        response = user.call(lambda: user.client.post("/echo", data=file))
    assert echoed(response)["body"].encode("latin-1") == path.read_bytes()


@pytest.mark.parametrize(
    ("data", "body"),
    [
        (io.BytesIO(b"memory"), "memory"),
        (io.StringIO("text ü"), "text ü"),
        (iter(["text ü", b"bytes"]), "text übytes"),
    ],
)
def test_data_of_other_types(user_of: Callable[..., Driven], echo: Echo, data: Any, body: str) -> None:
    if hasattr(data, "seek"):
        data.seek(0)
    else:
        data = iter(["text ü", b"bytes"])  # each user has its own
    response = user_of(echo.url).request("POST", "/echo", data=data)
    assert echoed(response)["body"].encode("latin-1") == body.encode()


def test_a_custom_content_type_is_kept(user: Driven) -> None:
    response = user.call(lambda: user.client.post("/echo", data="<a/>", headers={"content-type": "text/xml"}))
    assert header(response, "content-type") == "text/xml"
    response = user.call(lambda: user.client.post("/echo", data={"a": "1"}, headers={"Content-Type": "text/x"}))
    assert (header(response, "content-type"), echoed(response)["body"]) == ("text/x", "a=1")


@pytest.mark.parametrize("value", [{"a": [1, None, "ü"]}, [], {}, 0, False, "text"])
def test_json_is_the_body(user: Driven, value: Any) -> None:
    response = user.call(lambda: user.client.post("/echo", json=value))
    assert json.loads(echoed(response)["body"]) == value
    assert (header(response, "content-type"), header(response, "accept")) == ("application/json", "application/json")


def test_json_keeps_custom_headers_and_yields_to_data(user: Driven) -> None:
    given = {"Content-Type": "application/merge-patch+json", "Accept": "text/plain"}
    response = user.call(lambda: user.client.patch("/echo", json={}, headers=given))
    assert (header(response, "content-type"), header(response, "accept")) == tuple(given.values())
    assert echoed(user.call(lambda: user.client.post("/echo", data="x", json={})))["body"] == "x"


def parts_of(response: Any) -> dict[str, Message]:
    """The parts of the multipart body, by field name."""
    head = f"Content-Type: {header(response, 'content-type')}\r\n\r\n".encode("latin-1")
    message = message_from_bytes(head + echoed(response)["body"].encode("latin-1"))
    assert message.is_multipart()
    found: dict[str, Message] = {}
    for part in message.get_payload():
        assert isinstance(part, Message)
        found[str(part.get_param("name", header="content-disposition"))] = part
    return found


def test_files_are_sent_as_a_multipart_form(user: Driven, tmp_path: Path) -> None:
    path = tmp_path / "photo.png"
    path.write_bytes(b"\x89PNG\r\n\x00")
    with path.open("rb") as photo:
        files = {
            "photo": photo,
            "invoice": ("bill.csv", "a,b\r\n", "text/csv", {"X-Part": "1"}),
            "memory": ("m.bin", io.BytesIO(b"\x00\x01")),
        }
        response = user.call(lambda: user.client.post("/echo", data={"order": "7"}, files=files))
    parts = parts_of(response)
    assert {name: part.get_payload(decode=True) for name, part in parts.items()} == {
        "order": b"7",
        "photo": b"\x89PNG\r\n\x00",
        "invoice": b"a,b\r\n",
        "memory": b"\x00\x01",
    }
    assert {name: part.get_filename() for name, part in parts.items()} == {
        "order": None,
        "photo": "photo.png",
        "invoice": "bill.csv",
        "memory": "m.bin",
    }
    assert (parts["invoice"].get_content_type(), parts["invoice"]["X-Part"]) == ("text/csv", "1")


@pytest.mark.parametrize("data", ["text", b"bytes"])
def test_files_cannot_be_combined_with_text(user: Driven, data: Any) -> None:
    with pytest.raises(ValueError, match=r"(?i)data"):
        user.request("POST", "/echo", data=data, files={"a": b"1"})
    assert user.recorded == []


def test_a_host_is_required(base: type[Any]) -> None:
    with pytest.raises(StopTest, match="host"), driven(base, cast(Any, None)):
        pass


def test_auth_is_basic(user: Driven) -> None:
    assert header(user.get("/echo", auth=("jane", "s3:cret")), "authorization") == "Basic amFuZTpzMzpjcmV0"
    assert header(user.get("/echo", auth=(b"jane", b"s3:cret")), "authorization") == "Basic amFuZTpzMzpjcmV0"
    assert header(user.get("/echo"), "authorization") is None


def test_credentials_in_the_host_setting_are_sent_but_not_recorded(user_of: Callable[..., Driven], echo: Echo) -> None:
    user = user_of(f"http://jane:s3%3Acret@127.0.0.1:{echo.port}")
    response = user.get("/echo")
    assert header(response, "authorization") == "Basic amFuZTpzMzpjcmV0"
    assert header(response, "host") == f"127.0.0.1:{echo.port}"
    assert user.last["url"] == response.url == f"{echo.url}/echo"
    assert header(user.get("/echo", auth=("a", "b")), "authorization") == "Basic YTpi"


def test_changes_of_the_session_take_effect(user: Driven) -> None:
    """As scenarios do to log in and out, and to reconnect."""
    before = echoed(user.get("/echo"))["connection"]
    user.client.auth_header = "Bearer 1"
    user.client.client.default_headers["X-Shop"] = "2"
    response = user.get("/echo")
    assert (header(response, "authorization"), header(response, "x-shop")) == ("Bearer 1", "2")
    assert echoed(response)["connection"] == before
    user.client.client.clientpool.close()
    user.client.auth_header = None
    del user.client.client.default_headers["X-Shop"]
    response = user.get("/echo")
    assert (header(response, "authorization"), header(response, "x-shop")) == (None, None)
    assert echoed(response)["connection"] != before


def test_the_base_url_can_be_changed(user: Driven, echo: Echo) -> None:
    user.client.base_url = f"{echo.url}/shop"
    assert echoed(user.get("/cart"))["target"] == "/shop/cart"


def test_a_final_response_instead_of_100_continue(user_of: Callable[..., Driven]) -> None:
    """The body is not sent, and the connection is closed, because the server may still wait for the body."""

    def script(peer: Peer) -> None:
        if peer.number == 0:
            assert b"body" not in peer.receive_some()
            peer.send(ok(b"too large", status=b"413 x"))
            peer.hold()
        responding_with(ok())(peer)

    with hostile_server(script) as server:
        user = user_of(server.url)
        response = user.request("POST", "/", data="body", headers={"Expect": "100-continue"})
        assert (response.status_code, response.content) == (413, b"too large")


def test_a_request_can_expect_100_continue(user: Driven) -> None:
    response = user.call(lambda: user.client.post("/echo", data="body", headers={"Expect": "100-continue"}))
    assert echoed(response)["body"] == "body"


def test_no_response_instead_of_100_continue() -> None:
    """Servers need not send it (RFC 9110, 10.1.1), so the body is sent after a second. Locust's waits on."""
    with hostile_server(responding_with(ok())) as server, driven(HARNESS, server.url) as user:
        response = user.request("POST", "/", data="body", headers={"Expect": "100-continue"})
        assert response.content == b"sound"
        assert server.requests[0].endswith(b"\r\n\r\nbody")


@pytest.mark.parametrize(
    "headers", [{"X-A": "1\r\nX-B: 2"}, {"X-A\r\nX-B": "1"}, {"X A": "1"}, {"": "1"}, {"X-A": "a\x00b"}]
)
def test_a_header_cannot_inject_another(user_of: Callable[..., Driven], headers: dict[str, str]) -> None:
    """The scenario gets an exception at once; nothing is sent or recorded."""
    with hostile_server(responding_with(ok())) as server:
        user = user_of(server.url)
        with pytest.raises(ValueError, match="header"):
            user.get("/", headers=headers)
        assert (server.requests, user.recorded) == ([], [])
        assert user.get("/").content == b"sound"


@pytest.mark.parametrize("target", ["/a\r\nX-B: 2", "/a\nb", "/a\x00b"])
def test_a_target_cannot_inject_a_header(user_of: Callable[..., Driven], target: str) -> None:
    with hostile_server(responding_with(ok())) as server:
        user = user_of(server.url)
        user.get(target)
        (request,) = server.requests
        assert request.split(b"\r\n", 1)[0].count(b" ") == 2
        assert b"\r\nX-B" not in request

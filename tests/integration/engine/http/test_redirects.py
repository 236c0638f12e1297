"""Which redirects are followed, what they keep of the request, and where they end."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from harness.engine.request_failures import RedirectRefused
from tests.support.http.echo import Echo
from tests.support.http.hostile import hostile_server, ok, responding_with
from tests.support.http.users import HARNESS, LOCUST, Driven, driven


def redirected(user: Driven, status: int, method: str = "GET", to: str = "/echo", **options: Any) -> Any:
    """The response to a request that is redirected to ``to``."""
    response = user.request(method, f"/redirect/{status}", params={"to": to}, name="moved", **options)
    assert len(user.recorded) == 1  # a request and its redirects are recorded as one
    return response


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "DELETE"])
def test_method_and_body_are_kept_or_dropped(user: Driven, method: str, status: int) -> None:
    """RFC 9110, 15.4: 307 and 308 keep both. The others change any method as browsers change POST."""
    data = None if method == "GET" else "order"
    result = redirected(user, status, method, data=data).json()
    headers = dict(result["headers"])
    keeps = status in (307, 308)
    assert result["method"] == (method if keeps else "GET")
    assert result["body"] == (data or "" if keeps else "")
    if not keeps:
        assert not {"content-length", "content-type", "transfer-encoding"} & set(headers)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_head_stays_head(user_of: Callable[..., Driven], status: int) -> None:
    moved = ok(b"", b"Location: /there", status=b"%d x" % status)
    with hostile_server(responding_with(moved, ok(b"").replace(b": 0", b": 5"))) as server:
        user = user_of(server.url)
        response = user.call(lambda: user.client.head("/here"))
        assert (response.status_code, response.headers["content-length"]) == (200, "5")
        assert server.targets == ["HEAD /here", "HEAD /there"]


@pytest.mark.parametrize("status", [300, 304, 305, 306, 399])
def test_other_statuses_are_not_followed(user_of: Callable[..., Driven], status: int) -> None:
    with hostile_server(responding_with(ok(b"", b"Location: /there", status=b"%d x" % status))) as server:
        assert user_of(server.url).get("/here").status_code == status
        assert server.targets == ["GET /here"]


def test_a_redirect_without_a_location_is_the_response(user_of: Callable[..., Driven]) -> None:
    with hostile_server(responding_with(ok(b"lost", status=b"302 Found"))) as server:
        user = user_of(server.url)
        response = user.get("/")
        assert (response.status_code, response.content, user.last["exception"]) == (302, b"lost", None)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirects_are_not_followed_on_request(user_of: Callable[..., Driven], echo: Echo, status: int) -> None:
    user = user_of(echo.url)
    response = redirected(user, status, allow_redirects=False)
    assert (response.status_code, response.headers["location"], response.content) == (status, "/echo", b"moved")
    assert (response.ok, user.last["exception"]) == (True, None)
    assert redirected(user, status).json()["target"] == "/echo"
    assert redirected(user_of(echo.url, max_redirects=0), status).status_code == status


@pytest.mark.parametrize(
    ("to", "target"),
    [
        ("/echo/there?a=1#part", "/echo/there?a=1"),
        ("there", "/redirect/there"),
        ("../echo/./a/../b", "/echo/b"),
        ("?to=/echo", "/echo"),  # redirects to itself, with that query
        ("/grün weg", "/gr%C3%BCn%20weg"),
        ("/a%20b", "/a%20b"),
    ],
)
def test_locations_are_relative_references(user: Driven, to: str, target: str) -> None:
    if to.startswith("?"):
        response = user.call(lambda: user.client.get("/redirect/302?to=%3Fto=/echo"))
    else:
        response = redirected(user, 302, to=to if to.isascii() else to.replace("ü", "%C3%BC"))
    assert response.json()["target"] == target


def test_a_location_without_scheme(user: Driven, echo: Echo) -> None:
    response = redirected(user, 302, to=f"//localhost:{echo.port}/echo")
    assert dict(response.json()["headers"])["host"] == f"localhost:{echo.port}"


def test_urls_of_a_redirected_request(user: Driven, echo: Echo) -> None:
    """The response has the URL that responded, the recorded request the one that was requested."""
    response = redirected(user, 302)
    assert response.url == response.request.url == f"{echo.url}/echo"
    assert (user.last["url"], user.recorded) == (f"{echo.url}/redirect/302", [])
    assert [step.status_code for step in response.history] == [302]


def test_redirects_reuse_the_connection(user_of: Callable[..., Driven]) -> None:
    moved = ok(b"moved", b"Location: /there", status=b"302 Found")
    with hostile_server(responding_with(moved, ok())) as server:
        assert user_of(server.url).get("/here").content == b"sound"
        assert (server.connections, server.targets) == (1, ["GET /here", "GET /there"])


def test_credentials_do_not_leave_their_origin(user: Driven, echo: Echo) -> None:
    """RFC 9110, 15.4: not even to another name of the same machine."""
    for options in ({"auth": ("jane", "secret")}, {"headers": {"authorization": "Bearer 1"}}):
        assert "authorization" in dict(redirected(user, 307, **options).json()["headers"])
        there = redirected(user, 307, to=f"http://localhost:{echo.port}/echo", **options).json()
        assert "authorization" not in dict(there["headers"])
        assert dict(there["headers"])["host"] == f"localhost:{echo.port}"


def test_credentials_of_the_host_setting_stay_with_it(user_of: Callable[..., Driven], echo: Echo) -> None:
    user = user_of(f"http://jane:secret@127.0.0.1:{echo.port}")
    assert "authorization" in dict(redirected(user, 302).json()["headers"])
    assert "authorization" not in dict(redirected(user, 302, to=f"http://localhost:{echo.port}/echo").json()["headers"])


def test_a_custom_cookie_header_is_not_sent_after_a_redirect(user: Driven, echo: Echo) -> None:
    there = redirected(user, 302, to=f"http://localhost:{echo.port}/echo", headers={"Cookie": "session=1"}).json()
    assert "cookie" not in dict(there["headers"])


def test_a_loop_ends_at_max_redirects(user_of: Callable[..., Driven]) -> None:
    with hostile_server(responding_with(ok(b"", b"Location: /", status=b"302 Found"))) as server:
        user = user_of(server.url, max_redirects=4)
        response = user.get("/")
        assert len(server.requests) == 5
        assert response.status_code == 0
        assert user.last["exception"] is response.error is not None
        assert "edirect" in str(response.error)
        assert user.get("/", allow_redirects=False).status_code == 302


def test_max_redirects_are_followed(user_of: Callable[..., Driven], echo: Echo) -> None:
    user = user_of(echo.url, max_redirects=3)
    assert user.get("/chain/3").json()["target"] == "/echo"
    assert user.get("/chain/4").status_code == 0
    assert user_of(echo.url).get("/chain/30").status_code == 200
    assert user_of(echo.url).get("/chain/31").status_code == 0


@pytest.mark.parametrize("to", ["ftp://127.0.0.1/", "file:///etc/passwd", "javascript:alert(1)", "http://", "http://["])
def test_an_invalid_location_is_a_failure(user: Driven, to: str) -> None:
    if to == "http://[" and type(user.user).__mro__[1] is LOCUST:
        with pytest.raises(ValueError):  # noqa: PT011  (raised in the task by urllib; nothing is recorded)
            redirected(user, 302, to=to)
        assert user.recorded == []
        return
    response = redirected(user, 302, to=to)
    assert response.status_code == 0
    assert user.last["exception"] is response.error is not None


def test_redirects_to_a_unix_socket_are_refused(echo: Echo) -> None:
    with driven(HARNESS, echo.url) as user:
        response = redirected(user, 302, to="http+unix://%2Frun%2Fdocker.sock/containers/json")
        assert (response.status_code, type(response.error)) == (0, RedirectRefused)


def test_a_redirect_to_a_closed_port_is_a_failure(user: Driven) -> None:
    response = redirected(user, 302, to="http://127.0.0.1:9/")
    assert isinstance(response.error, ConnectionRefusedError)
    assert user.last["name"] == "moved"


def test_a_body_that_can_be_rewound_is_resent(user: Driven, tmp_path: Path) -> None:
    path = tmp_path / "order"
    path.write_bytes(b"order" * 9)
    with path.open("rb") as file:
        assert redirected(user, 307, "POST", data=file).json()["body"] == "order" * 9


def test_a_body_that_cannot_be_rewound_is_a_failure(user: Driven) -> None:
    def blocks() -> Iterator[bytes]:
        yield b"order"

    response = redirected(user, 307, "POST", data=blocks())
    assert response.status_code == 0
    assert user.last["exception"] is response.error is not None
    assert redirected(user, 303, "POST", data=blocks()).json()["method"] == "GET"

"""The session keeps cookies and sends them only where they belong.

Requests go through a proxy that forwards every host name to the same server.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.support.children import wait_until
from tests.support.http.echo import Echo
from tests.support.http.forward_proxy import forward_proxy
from tests.support.http.users import LOCUST, Driven

LATER = "Expires=Fri, 31 Dec 2100 23:59:59 GMT"
EARLIER = "Expires=Thu, 01 Jan 1970 00:00:00 GMT"


@pytest.fixture
def browser(user_of: Callable[..., Driven], echo: Echo) -> Iterator[Driven]:
    """A user for whom every host is the echo server."""
    with forward_proxy(echo.port) as proxy:
        yield user_of("http://www.shop.test", proxy_host="127.0.0.1", proxy_port=proxy.port)


def set_cookies(user: Driven, *lines: str, at: str = "") -> Any:
    return user.get(f"{at}/cookies", params={"set": lines})


def cookies_sent(user: Driven, url: str = "/echo", **options: Any) -> set[str]:
    """The cookies that a request for ``url`` sends."""
    headers = [value for name, value in user.get(url, **options).json()["headers"] if name == "cookie"]
    assert len(headers) < 2
    return set(headers[0].split("; ")) if headers else set()


def test_cookies_are_kept_between_requests(user: Driven) -> None:
    assert cookies_sent(user) == set()
    set_cookies(user, "a=1", "b=x y=z; Path=/")
    assert cookies_sent(user) == {"a=1", "b=x y=z"}
    set_cookies(user, "a=2")
    assert cookies_sent(user) == {"a=2", "b=x y=z"}
    assert {cookie.name: cookie.value for cookie in user.client.cookiejar} == {"a": "2", "b": "x y=z"}


def test_users_do_not_share_cookies(user_of: Callable[..., Driven], echo: Echo) -> None:
    one, other = user_of(echo.url), user_of(echo.url)
    set_cookies(one, "a=1")
    assert (cookies_sent(one), cookies_sent(other)) == ({"a=1"}, set())


def test_the_jar_can_be_cleared(user: Driven) -> None:
    set_cookies(user, "a=1")
    user.client.cookiejar.clear()
    assert cookies_sent(user) == set()


@pytest.mark.parametrize(("path", "urls"), [("/", ["/", "/a", "/a/b"]), ("/a", ["/a", "/a/b"]), ("/a/b", ["/a/b"])])
def test_path(user: Driven, path: str, urls: list[str]) -> None:
    set_cookies(user, f"a=1; Path={path}")
    assert [url for url in ("/", "/a", "/a/b", "/ab") if cookies_sent(user, url)] == [
        *urls,
        *(["/ab"] if path == "/" else []),
    ]


def test_the_default_path_is_that_of_the_request(user_of: Callable[..., Driven], echo: Echo) -> None:
    user = user_of(f"{echo.url}")
    set_cookies(user, "a=1")
    assert cookies_sent(user, "/elsewhere") == {"a=1"}  # the default path of /cookies is /


@pytest.mark.parametrize(
    ("attribute", "hosts"),
    [
        ("; Domain=shop.test", ["www.shop.test", "shop.test", "api.shop.test", "a.www.shop.test"]),
        ("; Domain=.shop.test", ["www.shop.test", "shop.test", "api.shop.test", "a.www.shop.test"]),
        ("; Domain=www.shop.test", ["www.shop.test", "a.www.shop.test"]),
        ("; Domain=other.test", []),
        ("; Domain=api.shop.test", []),
        ("; Domain=test", []),
    ],
)
def test_domain(browser: Driven, attribute: str, hosts: list[str]) -> None:
    set_cookies(browser, f"a=1{attribute}")
    assert hosts_that_get_cookies(browser) == hosts


def test_a_cookie_without_a_domain_is_for_its_host_only(browser: Driven) -> None:
    """RFC 6265, 5.3. Locust's client sends it to subdomains, too, as the first cookie standard did."""
    set_cookies(browser, "a=1")
    of_locust = type(browser.user).__mro__[1] is LOCUST
    assert hosts_that_get_cookies(browser) == ["www.shop.test", *(["a.www.shop.test"] if of_locust else [])]


def hosts_that_get_cookies(browser: Driven) -> list[str]:
    hosts = ["www.shop.test", "shop.test", "api.shop.test", "a.www.shop.test", "other.test", "notshop.test"]
    return [host for host in hosts if cookies_sent(browser, f"http://{host}/echo")]


def test_cookies_set_by_a_redirect(browser: Driven) -> None:
    set_cookies(browser, "a=1", at="http://api.shop.test")
    to = "http://api.shop.test/echo"
    assert browser.get("/redirect/302", params={"to": to}).json()["headers"].count(["cookie", "a=1"]) == 1
    assert cookies_sent(browser) == set()


@pytest.mark.parametrize("attribute", ["Max-Age=0", "Max-Age=-1", EARLIER])
def test_an_expired_cookie_is_dropped(user: Driven, attribute: str) -> None:
    set_cookies(user, "a=1", "b=1")
    set_cookies(user, f"a=; {attribute}")
    assert cookies_sent(user) == {"b=1"}


@pytest.mark.parametrize(
    "attribute", ["Max-Age=1000", LATER, f"Max-Age=1000; {EARLIER}", "HttpOnly", "SameSite=Strict"]
)
def test_an_unexpired_cookie_is_sent(user: Driven, attribute: str) -> None:
    set_cookies(user, f"a=1; {attribute}")
    assert cookies_sent(user) == {"a=1"}


@pytest.mark.parametrize(
    "line", ["", "=", ";", "a", "a=1; Max-Age=soon; Expires=never", "a=1; Domain", "\xfc=\xff; Path"]
)
def test_an_odd_cookie_does_no_harm(user: Driven, line: str) -> None:
    assert set_cookies(user, "b=1", line).status_code == 200
    assert user.last["exception"] is None
    assert "b=1" in cookies_sent(user)


def test_a_cookie_expires_during_the_session(user: Driven) -> None:
    set_cookies(user, "a=1; Max-Age=1000")
    (cookie,) = user.client.cookiejar
    cookie.expires = time.time() + 0.5
    user.client.cookiejar.set_cookie(cookie)
    at_first = cookies_sent(user)
    assert at_first == {"a=1"} or time.time() > cookie.expires
    wait_until(lambda: not cookies_sent(user), seconds=5)


def test_a_custom_cookie_header_is_sent_unchanged(user: Driven) -> None:
    assert cookies_sent(user, headers={"Cookie": "x=1; y=2"}) == {"x=1", "y=2"}

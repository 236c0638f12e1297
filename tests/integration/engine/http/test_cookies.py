"""Cookies: kept by the session, and sent only where they belong.

Host names are those of a proxy that takes every one of them to the same server.
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
    """A user to whom every host is the echo server."""
    with forward_proxy(echo.port) as proxy:
        yield user_of("http://www.shop.test", proxy_host="127.0.0.1", proxy_port=proxy.port)


def set_cookies(user: Driven, *lines: str, at: str = "") -> Any:
    return user.get(f"{at}/cookies", params={"set": lines})


def sent(user: Driven, url: str = "/echo", **options: Any) -> set[str]:
    """The cookies that a request for ``url`` sends."""
    headers = [value for name, value in user.get(url, **options).json()["headers"] if name == "cookie"]
    assert len(headers) < 2
    return set(headers[0].split("; ")) if headers else set()


def test_cookies_are_kept_between_requests(user: Driven) -> None:
    assert sent(user) == set()
    set_cookies(user, "a=1", "b=x y=z; Path=/")
    assert sent(user) == {"a=1", "b=x y=z"}
    set_cookies(user, "a=2")
    assert sent(user) == {"a=2", "b=x y=z"}
    assert {cookie.name: cookie.value for cookie in user.client.cookiejar} == {"a": "2", "b": "x y=z"}


def test_cookies_are_of_one_user(user_of: Callable[..., Driven], echo: Echo) -> None:
    one, other = user_of(echo.url), user_of(echo.url)
    set_cookies(one, "a=1")
    assert (sent(one), sent(other)) == ({"a=1"}, set())


def test_the_jar_may_be_emptied(user: Driven) -> None:
    set_cookies(user, "a=1")
    user.client.cookiejar.clear()
    assert sent(user) == set()


@pytest.mark.parametrize(("path", "urls"), [("/", ["/", "/a", "/a/b"]), ("/a", ["/a", "/a/b"]), ("/a/b", ["/a/b"])])
def test_path(user: Driven, path: str, urls: list[str]) -> None:
    set_cookies(user, f"a=1; Path={path}")
    assert [url for url in ("/", "/a", "/a/b", "/ab") if sent(user, url)] == [*urls, *(["/ab"] if path == "/" else [])]


def test_the_default_path_is_the_folder_of_the_request(user_of: Callable[..., Driven], echo: Echo) -> None:
    user = user_of(f"{echo.url}")
    set_cookies(user, "a=1")
    assert sent(user, "/elsewhere") == {"a=1"}  # of /cookies it is /


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


def test_without_a_domain_a_cookie_is_its_host_s_alone(browser: Driven) -> None:
    """RFC 6265, 5.3. Locust's client sends it to the hosts below that one, too (the first cookie standard's way)."""
    set_cookies(browser, "a=1")
    of_locust = type(browser.user).__mro__[1] is LOCUST
    assert hosts_that_get_cookies(browser) == ["www.shop.test", *(["a.www.shop.test"] if of_locust else [])]


def hosts_that_get_cookies(browser: Driven) -> list[str]:
    hosts = ["www.shop.test", "shop.test", "api.shop.test", "a.www.shop.test", "other.test", "notshop.test"]
    return [host for host in hosts if sent(browser, f"http://{host}/echo")]


def test_cookies_set_on_the_way_of_a_redirect(browser: Driven) -> None:
    set_cookies(browser, "a=1", at="http://api.shop.test")
    to = "http://api.shop.test/echo"
    assert browser.get("/redirect/302", params={"to": to}).json()["headers"].count(["cookie", "a=1"]) == 1
    assert sent(browser) == set()


@pytest.mark.parametrize("attribute", ["Max-Age=0", "Max-Age=-1", EARLIER])
def test_a_cookie_that_has_expired_is_forgotten(user: Driven, attribute: str) -> None:
    set_cookies(user, "a=1", "b=1")
    set_cookies(user, f"a=; {attribute}")
    assert sent(user) == {"b=1"}


@pytest.mark.parametrize(
    "attribute", ["Max-Age=1000", LATER, f"Max-Age=1000; {EARLIER}", "HttpOnly", "SameSite=Strict"]
)
def test_a_cookie_that_has_not_expired_is_sent(user: Driven, attribute: str) -> None:
    set_cookies(user, f"a=1; {attribute}")
    assert sent(user) == {"a=1"}


@pytest.mark.parametrize(
    "line", ["", "=", ";", "a", "a=1; Max-Age=soon; Expires=never", "a=1; Domain", "\xfc=\xff; Path"]
)
def test_an_odd_cookie_harms_nobody(user: Driven, line: str) -> None:
    assert set_cookies(user, "b=1", line).status_code == 200
    assert user.last["exception"] is None
    assert "b=1" in sent(user)


def test_a_cookie_expires_while_the_session_lasts(user: Driven) -> None:
    set_cookies(user, "a=1; Max-Age=1000")
    (cookie,) = user.client.cookiejar
    cookie.expires = time.time() + 0.5
    user.client.cookiejar.set_cookie(cookie)
    at_first = sent(user)
    assert at_first == {"a=1"} or time.time() > cookie.expires
    wait_until(lambda: not sent(user), seconds=5)


def test_a_cookie_header_given_is_sent_as_it_is(user: Driven) -> None:
    assert sent(user, headers={"Cookie": "x=1; y=2"}) == {"x=1", "y=2"}

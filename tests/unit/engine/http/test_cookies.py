"""The cookie jar caches what ``http.cookiejar`` decides, but not for too long."""

from __future__ import annotations

import time
from http.cookies import SimpleCookie

import pytest
from geventhttpclient.header import Headers

from harness.engine.http.cookies import CachingCookieJar, response_cookies
from harness.engine.http.origin import Origin

HERE = Origin("http", "shop.example", 80)
SECURE = Origin("https", "shop.example", 443)
OTHER = Origin("http", "other.example", 80)
UNIX = Origin("http+unix", "/run/x.sock", 0)


def setting(*cookies: str) -> Headers:
    return Headers([("Set-Cookie", cookie) for cookie in cookies])


def take(jar: CachingCookieJar, *cookies: str, origin: Origin = HERE, target: str = "/a/b") -> None:
    jar.store(setting(*cookies), origin, target, is_redirect=False)


def cookies_sent(jar: CachingCookieJar, origin: Origin = HERE, target: str = "/a/b") -> dict[str, str]:
    return {name: morsel.value for name, morsel in SimpleCookie(jar.cookie_header(origin, target)).items()}


def test_cookies_go_where_they_belong() -> None:
    jar = CachingCookieJar()
    take(
        jar, "all=1; Path=/", "here=2", "sub=3; Path=/sub", "safe=4; Path=/; Secure", "foreign=5; Domain=other.example"
    )
    for _ in range(2):
        assert cookies_sent(jar) == {"all": "1", "here": "2"}
        assert cookies_sent(jar, target="/sub/x?y") == {"all": "1", "sub": "3"}
        assert cookies_sent(jar, target="/") == {"all": "1"}
        assert cookies_sent(jar, SECURE, "/") == {"all": "1", "safe": "4"}
        assert cookies_sent(jar, OTHER) == {}


def test_the_cached_header_is_dropped_when_the_jar_changes() -> None:
    jar = CachingCookieJar()
    take(jar, "a=1; Path=/")
    assert cookies_sent(jar) == {"a": "1"}
    take(jar, "a=2; Path=/", "b=3; Path=/a")
    assert cookies_sent(jar) == {"a": "2", "b": "3"}
    assert cookies_sent(jar, target="/c") == {"a": "2"}
    take(jar, "b=; Path=/a; Max-Age=0")
    assert cookies_sent(jar) == {"a": "2"}
    jar.clear()
    assert cookies_sent(jar) == {}
    take(jar, "a=2; Path=/", "b=3; Path=/a")
    assert cookies_sent(jar) == {"a": "2", "b": "3"}, "the same cookies are stored again after the jar was cleared"


def test_the_cached_header_is_dropped_when_a_cookie_expires(monkeypatch: pytest.MonkeyPatch) -> None:
    jar = CachingCookieJar()
    take(jar, "short=1; Path=/; Max-Age=10", "long=2; Path=/; Max-Age=1000")
    assert cookies_sent(jar) == {"short": "1", "long": "2"}
    now = time.time()
    monkeypatch.setattr("time.time", lambda: now + 20)
    assert cookies_sent(jar) == {"long": "2"}
    take(jar, "short=1; Path=/; Max-Age=10", "long=2; Path=/; Max-Age=1000")
    assert cookies_sent(jar) == {"short": "1", "long": "2"}


def test_the_number_of_cached_headers_is_limited() -> None:
    jar = CachingCookieJar()
    take(jar, "a=1; Path=/a")
    assert all(cookies_sent(jar, target=f"/a/{number}") == {"a": "1"} for number in range(300))
    assert len(jar._headers) <= 64


def test_unix_sockets_have_cookies() -> None:
    jar = CachingCookieJar()
    take(jar, "a=1; Path=/", origin=UNIX)
    assert cookies_sent(jar, UNIX) == {"a": "1"}


def test_cookies_of_one_response() -> None:
    cookies = response_cookies(setting("a=1", "b=2; Path=/"), HERE, "/x")
    assert cookies.get_dict() == {"a": "1", "b": "2"}


def test_the_cookies_of_a_user_are_bounded() -> None:
    jar = CachingCookieJar()
    for number in range(500):
        take(jar, f"name{number}=1; Path=/", f"large{number}={'x' * 5000}; Path=/")
    assert list(cookies_sent(jar)) == [f"name{number}" for number in range(320, 500)]

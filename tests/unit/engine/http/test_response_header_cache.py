"""Heads are known again, as many as are worth it."""

from __future__ import annotations

from harness.engine.http.response_header_cache import CachedHeaders, ResponseHeaderCache


def head(number: int, size: int = 0) -> CachedHeaders:
    return CachedHeaders(b"HTTP/1.1 200 OK\r\nX: %d%s\r\n\r\n" % (number, b"x" * size), 200, 0, False, False)


def test_a_head_is_known_by_its_bytes() -> None:
    header_cache = ResponseHeaderCache()
    header_cache.add(head(1))
    assert header_cache.find(head(1).text) == head(1)
    assert header_cache.find(head(2).text) is None
    header_cache.add(head(3, size=5000))
    assert header_cache.find(head(3, size=5000).text) is None, "long ones are not worth their memory"


def test_the_newest_are_kept_and_where_all_are_new_only_some() -> None:
    header_cache = ResponseHeaderCache()
    for number in range(1000):
        header_cache.add(head(number))
    known = [number for number in range(1000) if header_cache.find(head(number).text)]
    assert len(known) == 256
    assert known[-1] > 950
    assert known[-2] < known[-1] - 20


def test_one_that_comes_again_is_soon_known_whatever_came_before() -> None:
    header_cache = ResponseHeaderCache()
    for number in range(1000):
        header_cache.add(head(number))
    for _ in range(40):
        header_cache.add(head(5000))
    assert header_cache.find(head(5000).text)

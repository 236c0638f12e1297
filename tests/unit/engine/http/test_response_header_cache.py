"""Heads are known again, as many as are worth it."""

from __future__ import annotations

from harness.engine.http.response_header_cache import CachedHeader, ResponseHeaderCache


def head(number: int, size: int = 0) -> CachedHeader:
    return CachedHeader(b"HTTP/1.1 200 OK\r\nX: %d%s\r\n\r\n" % (number, b"x" * size), 200, 0, False, False)


def test_a_head_is_known_by_its_bytes() -> None:
    heads = ResponseHeaderCache()
    heads.add(head(1))
    assert heads.find(head(1).text) == head(1)
    assert heads.find(head(2).text) is None
    heads.add(head(3, size=5000))
    assert heads.find(head(3, size=5000).text) is None, "long ones are not worth their memory"


def test_the_newest_are_kept_and_where_all_are_new_only_some() -> None:
    heads = ResponseHeaderCache()
    for number in range(1000):
        heads.add(head(number))
    known = [number for number in range(1000) if heads.find(head(number).text)]
    assert len(known) == 256
    assert known[-1] > 950
    assert known[-2] < known[-1] - 20


def test_one_that_comes_again_is_soon_known_whatever_came_before() -> None:
    heads = ResponseHeaderCache()
    for number in range(1000):
        heads.add(head(number))
    for _ in range(40):
        heads.add(head(5000))
    assert heads.find(head(5000).text)

"""Headers that repeat are cached, and only those."""

from __future__ import annotations

from harness.engine.http.response_header_cache import CachedHeaders, ResponseHeaderCache


def cached(number: int, size: int = 0) -> CachedHeaders:
    return CachedHeaders(b"HTTP/1.1 200 OK\r\nX: %d%s\r\n\r\n" % (number, b"x" * size), 200, 0, False, False)


def test_headers_are_found_by_their_bytes() -> None:
    header_cache = ResponseHeaderCache()
    header_cache.add(cached(1))
    assert header_cache.find(cached(1).text) == cached(1)
    assert header_cache.find(cached(2).text) is None
    header_cache.add(cached(3, size=5000))
    assert header_cache.find(cached(3, size=5000).text) is None, "long ones would take too much memory"


def test_if_all_headers_are_new_only_some_are_kept() -> None:
    header_cache = ResponseHeaderCache()
    for number in range(1000):
        header_cache.add(cached(number))
    known = [number for number in range(1000) if header_cache.find(cached(number).text)]
    assert len(known) == 256
    assert known[-1] > 950
    assert known[-2] < known[-1] - 20


def test_headers_that_repeat_are_soon_kept() -> None:
    header_cache = ResponseHeaderCache()
    for number in range(1000):
        header_cache.add(cached(number))
    for _ in range(40):
        header_cache.add(cached(5000))
    assert header_cache.find(cached(5000).text)

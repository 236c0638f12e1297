"""Keeps some of a worker's responses for the contract check: failures, new kinds, a share.

What is kept is bounded by number and bytes per second, whatever the load is. Nothing is checked here: the worker's
event loop must not wait for it.
"""

from __future__ import annotations

from collections import Counter
from typing import Any, NamedTuple

from harness.engine.failure_details import encodable
from harness.engine.random_gaps import RandomGaps
from harness.record.sampled_responses import LONGEST_BODY, LONGEST_HEADERS, LONGEST_URL

FEWEST_PER_S, MOST_PER_S = 2.0, 100.0
"""Of the share: of each worker, and of all together."""
FAILURES_PER_S = 200
"""Failures and first ones, of all workers together. A target may fail every request."""
BYTES_PER_S = 4 << 20
"""Of all workers together, but one response of each fits."""
_MOST_KINDS = 20_000
_NEARLY_ALL = 0.999
"""The greatest share: with 1, every response would be picked, at whatever rate."""


class Kept(NamedTuple):
    """A response, with what the recorder knows of its request."""

    endpoint: int
    due_perf_s: float
    end_perf_s: float
    method: str
    url: str
    status: int
    headers: bytes
    body: bytes | None


class ResponseSampler:
    """The responses of one of so many ``workers``, of which each keeps its part."""

    def __init__(self, share: float, workers: int) -> None:
        most_per_s = max(MOST_PER_S / workers, FEWEST_PER_S)
        self._gaps = RandomGaps(FEWEST_PER_S, most_per_s)
        self._gaps.change(min(share, _NEARLY_ALL))
        # Between two reports, which are a second apart unless the worker is late; gaps alone bound it on average.
        self._most = (
            max(1, FAILURES_PER_S // workers),
            round(2 * most_per_s),
            max(LONGEST_BODY + LONGEST_HEADERS, BYTES_PER_S // workers),
        )
        self._failures_left, self._share_left, self._bytes_left = self._most
        self._kinds: set[tuple[int, int, bytes | None]] = set()
        self._content_types: dict[bytes, bytes] = {}
        """By all headers of a response of our own client, which are the same for many within a second."""
        self._kept: list[Kept] = []
        self._skipped: Counter[str] = Counter()

    def note(
        self, endpoint: int, due_perf_s: float, end_perf_s: float, method: str, failed: bool, response: Any, url: Any
    ) -> None:
        """A request of ``endpoint`` has ended with this response, whichever client sent it."""
        try:
            status = getattr(response, "status_code", None)
            if type(status) is not int or not 100 <= status < 1000:  # none arrived, or it is not of HTTP
                return
            raw = getattr(response, "_raw_headers", None)
            content_type = self._content_types.get(raw) if type(raw) is bytes else _content_type(response)
            if content_type is None and raw is not None:
                content_type = self._content_types[raw] = _content_type_in(raw)
            kind = (endpoint, status, content_type)
            is_first = kind not in self._kinds and len(self._kinds) < _MOST_KINDS
            if not (failed or is_first or self._gaps.pick()) or not self._may_keep(failed, is_first):
                return
            kept = self._kept_of(endpoint, due_perf_s, end_perf_s, method, response, status, url)
        except Exception:  # noqa: BLE001  (an object of the scenario may raise anything)
            self._skipped["unreadable"] += 1
            return
        if len(kept.headers) > self._bytes_left:
            self._skipped["rate"] += 1
            return
        if kept.body and len(kept.headers) + len(kept.body) > self._bytes_left:
            self._skipped["size"] += 1
            kept, is_first = kept._replace(body=None), False  # the first of its kind is still to come
        self._bytes_left -= len(kept.headers) + len(kept.body or b"")
        if is_first:
            self._kinds.add(kind)
        self._kept.append(kept)

    def _may_keep(self, failed: bool, is_first: bool) -> bool:
        """Whether one more may be kept before the next report."""
        if not (failed or is_first):
            self._share_left -= 1
            return self._share_left >= 0
        self._failures_left -= 1
        if self._failures_left < 0 and failed:
            self._skipped["rate"] += 1
        return self._failures_left >= 0

    def _kept_of(
        self, endpoint: int, due_perf_s: float, end_perf_s: float, method: str, response: Any, status: int, url: Any
    ) -> Kept:
        sent = getattr(response, "request", None)
        # After redirects, the response is to another request than the scenario's.
        method = encodable(getattr(sent, "method", None) or method)[:32]
        # Locust's HttpUser has the name of the request in place of the response's URL while it reports it.
        url = getattr(sent, "url", None) or getattr(response, "url", None) or url
        url = encodable(url).partition("?")[0][:LONGEST_URL]
        headers, body = _headers(response), _body(response)
        if body is not None and len(body) > LONGEST_BODY:
            self._skipped["size"] += 1
            body = None
        return Kept(endpoint, due_perf_s, end_perf_s, method, url, status, headers[:LONGEST_HEADERS], body)

    def take(self) -> tuple[list[Kept], dict[str, int]]:
        """Return and forget the kept responses, and the numbers of skipped ones by reason."""
        kept, self._kept = self._kept, []
        skipped, self._skipped = self._skipped, Counter()
        self._failures_left, self._share_left, self._bytes_left = self._most
        self._content_types.clear()
        return kept, dict(skipped)


def _content_type_in(raw: bytes) -> bytes:
    """The value of the content type as received; empty if there is none."""
    at = raw.find(b"ontent-type:")
    if at < 0:
        at = raw.find(b"ontent-Type:")
    return raw[at : raw.find(b"\r", at)] if at >= 0 else b""


def _content_type(response: Any) -> bytes:
    """The content type of another client's response."""
    headers = getattr(response, "headers", None)
    value = headers.get("content-type") if headers is not None else None
    return b"" if value is None else str(value).encode("utf-8", "replace")


def _headers(response: Any) -> bytes:
    """A status line and the headers, one a line."""
    raw = getattr(response, "_raw_headers", None)
    if type(raw) is bytes:
        return raw
    headers = getattr(response, "headers", None) or {}
    lines = [f"{name}: {value}\r\n" for name, value in headers.items()]
    return "".join(["HTTP/1.1\r\n", *lines, "\r\n"]).encode("latin-1", "replace")


def _body(response: Any) -> bytes | None:
    """The decoded body; None of a stream, which is the scenario's to read."""
    if type(getattr(response, "_raw_headers", None)) is bytes:  # our own client's
        content = None if response._body is not None else response._content
    elif hasattr(response, "_content_consumed"):  # of requests
        content = response._content if response._content_consumed else None
    else:
        content = getattr(response, "_cached_content", None)  # of geventhttpclient
    return content if isinstance(content, bytes) else None

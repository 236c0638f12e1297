"""Which responses are kept for the check against the contract, and that they are bounded."""

from __future__ import annotations

from typing import Any

import msgpack
import pytest
import requests
from pydantic import TypeAdapter

from harness.engine.http.response import Response as OwnResponse
from harness.engine.response_sampler import FAILURES_PER_S, MOST_PER_S, ResponseSampler
from harness.record.sampled_responses import LONGEST_BODY, LONGEST_HEADERS, SampledResponse

HEADERS = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n"


class Sent:
    method = "GET"


class Answer:
    """A response of our own client, as far as the sampler reads it."""

    def __init__(self, body: bytes | None = b"{}", status: int = 200, kind: str = "application/json") -> None:
        self.status_code = status
        self._raw_headers = HEADERS.replace(b"application/json", kind.encode())
        self._content = body
        self._body: Any = None
        self.url = "http://127.0.0.1/things?token=geheim"
        self.request = Sent()


def note(sampler: ResponseSampler, response: Any, *, endpoint: int = 0, failed: bool = False) -> None:
    sampler.note(endpoint, 0.0, 0.0, "GET", failed, response, "http://127.0.0.1/asked")


def test_the_first_of_each_kind_is_kept_and_no_share_if_it_is_none() -> None:
    sampler = ResponseSampler(0.0, 1)
    for _ in range(100):
        note(sampler, Answer())
        note(sampler, Answer(status=404))
        note(sampler, Answer(kind="text/html"))
        note(sampler, Answer(), endpoint=1)
    kept, skipped = sampler.take()
    assert [(one.endpoint, one.status) for one in kept] == [(0, 200), (0, 404), (0, 200), (1, 200)]
    assert skipped == {}
    note(sampler, Answer())
    assert sampler.take() == ([], {})


def test_the_url_is_that_of_the_request_whatever_the_response_is_called() -> None:
    """Locust's HttpUser has the name of the request in place of the response's URL while it reports it."""
    response = requests.Response()
    response.status_code, response._content, response.url = 200, b"{}", "/things/[id]"
    response.request = requests.Request("GET", "http://127.0.0.1/things/7?a=b").prepare()
    sampler = ResponseSampler(0.0, 1)
    note(sampler, response)
    assert [one.url for one in sampler.take()[0]] == ["http://127.0.0.1/things/7"]


def test_a_share_is_kept_and_no_more_than_a_limit_even_of_all() -> None:
    for share in (0.05, 1.0):
        sampler = ResponseSampler(share, 1)
        for _ in range(100_000):
            note(sampler, Answer())
        assert 1 < len(sampler.take()[0]) <= 2 * MOST_PER_S + 1


def test_every_failure_is_kept_up_to_a_limit_per_report() -> None:
    sampler = ResponseSampler(0.0, 2)
    for _ in range(500):
        note(sampler, Answer(), failed=True)
    kept, skipped = sampler.take()
    assert (len(kept), skipped) == (FAILURES_PER_S // 2, {"rate": 500 - FAILURES_PER_S // 2})
    note(sampler, Answer(), failed=True)
    assert len(sampler.take()[0]) == 1


def test_what_is_kept_is_bounded_in_bytes() -> None:
    sampler = ResponseSampler(1.0, 1)
    for _ in range(100):
        note(sampler, Answer(b"x" * 500_000), failed=True)
    kept, skipped = sampler.take()
    assert 0 < sum(len(one.body or b"") + len(one.headers) for one in kept) <= 4 << 20
    assert (len(kept), skipped) == (100, {"size": sum(one.body is None for one in kept)})


def test_headers_that_are_too_many_bytes_are_skipped() -> None:
    sampler, answer = ResponseSampler(0.0, 1), Answer(b"")
    answer._raw_headers += b"x" * LONGEST_HEADERS
    for _ in range(100):
        note(sampler, answer, failed=True)
    kept, skipped = sampler.take()
    assert (len(kept), skipped) == (64, {"rate": 36})


def test_one_of_many_workers_keeps_the_longest_body_too() -> None:
    sampler = ResponseSampler(0.0, 100)
    note(sampler, Answer(b"x" * LONGEST_BODY))
    ((kept,), skipped) = sampler.take()
    assert (len(kept.body or b""), skipped) == (LONGEST_BODY, {})


def test_the_first_of_a_kind_is_the_first_with_its_body() -> None:
    sampler = ResponseSampler(0.0, 1)
    for _ in range(9):
        note(sampler, Answer(b"x" * 500_000), failed=True)
    note(sampler, Answer(), endpoint=1)
    note(sampler, Answer(b"x" * 500_000), endpoint=2)
    assert sampler.take()[0][-1].body is None
    note(sampler, Answer(), endpoint=2)
    assert [one.body for one in sampler.take()[0]] == [b"{}"]


def test_of_a_long_body_the_status_and_the_headers_are_kept() -> None:
    sampler = ResponseSampler(0.0, 1)
    note(sampler, Answer(b"x" * (LONGEST_BODY + 1)))
    ((*_, status, headers, body),), skipped = sampler.take()
    assert (status, headers, body, skipped) == (200, HEADERS, None, {"size": 1})


def test_the_query_is_not_kept() -> None:
    sampler = ResponseSampler(0.0, 1)
    note(sampler, Answer())
    ((kept,), _) = sampler.take()
    assert (kept.method, kept.url) == ("GET", "http://127.0.0.1/things")
    assert SampledResponse(kept.endpoint, 0, *kept[3:]).body == b"{}"


@pytest.mark.parametrize("response", [None, object(), "text", Answer(status=0), Answer(status=5000)])
def test_anything_but_a_response_is_left_out(response: Any) -> None:
    sampler = ResponseSampler(1.0, 1)
    note(sampler, response, failed=True)
    assert sampler.take() == ([], {})


def test_whatever_is_kept_can_be_sent() -> None:
    sampler = ResponseSampler(0.0, 1)
    answer = Answer()
    answer.url = "http://h/\ud800" + "x" * 5000
    note(sampler, answer)
    ((kept,), _) = sampler.take()
    TypeAdapter(SampledResponse).validate_python([kept.endpoint, 0, *kept[3:]])
    msgpack.packb(kept)


def test_a_stream_is_left_to_the_scenario() -> None:
    sampler = ResponseSampler(0.0, 1)
    stream = Answer(b"")
    stream._body = object()
    note(sampler, stream)
    unread = requests.Response()
    unread.status_code, unread.url = 200, "http://h/unread"
    note(sampler, unread, endpoint=1)
    assert [one.body for one in sampler.take()[0]] == [None, None]


def test_responses_of_requests_are_kept_like_our_own() -> None:
    sampler = ResponseSampler(0.0, 1)
    answer = requests.Response()
    answer.status_code, answer.url = 201, "http://h/made?x=1"
    answer._content, answer._content_consumed = b"{}", True
    answer.headers["Content-Type"] = "application/json"
    answer.request = requests.Request("POST", "http://h/made").prepare()
    note(sampler, answer)
    ((kept,), _) = sampler.take()
    assert (kept.method, kept.url, kept.status, kept.body) == ("POST", "http://h/made", 201, b"{}")
    assert b"Content-Type: application/json\r\n" in kept.headers


def test_an_object_that_raises_is_counted() -> None:
    class Broken(Answer):
        @property
        def request(self) -> Any:
            raise RuntimeError

        @request.setter
        def request(self, _: Any) -> None: ...

    sampler = ResponseSampler(0.0, 1)
    note(sampler, Broken())
    assert sampler.take() == ([], {"unreadable": 1})


def test_our_own_client_has_what_the_sampler_reads() -> None:
    assert {"_raw_headers", "_content"} <= set(OwnResponse.__init__.__code__.co_names)
    assert OwnResponse._body is None

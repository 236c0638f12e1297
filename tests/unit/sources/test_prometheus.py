"""What is read of a Prometheus page: only what is named, added up over labels, counters apart from gauges."""

from __future__ import annotations

import pytest

from harness.errors import HarnessError
from harness.sources.prometheus import MOST_SERIES, bounded, parse
from harness.sources.selector import Selector
from harness.sources.source import Values

PAGE = """\
# HELP http_requests_total Requests.
# TYPE http_requests_total counter
http_requests_total{method="GET",status="200"} 10
http_requests_total{method="GET",status="500"} 1
http_requests_total{method="POST",status="200"} 4
# TYPE pool_in_use gauge
pool_in_use{pool="a"} 3
pool_in_use{pool="b"} 2
# TYPE pool_size gauge
pool_size NaN
# TYPE took_seconds histogram
took_seconds_bucket{le="1"} 4
took_seconds_bucket{le="+Inf"} 5
took_seconds_sum 2.5
took_seconds_count 5
untyped_total 7
untyped 8
limit +Inf
"""


def selectors(*texts: str) -> list[Selector]:
    found = [Selector.parse(text) for text in texts]
    assert None not in found
    return [selector for selector in found if selector is not None]


def read(*texts: str, page: str = PAGE, is_openmetrics: bool = False) -> Values:
    return parse(page, selectors(*texts), is_openmetrics=is_openmetrics, url="http://x")[0]


@pytest.mark.parametrize(
    ("text", "gauges", "counters"),
    [
        ("http_requests_total", {}, {"http_requests_total": 15}),
        ("http_requests", {}, {"http_requests": 15}),
        ('http_requests_total{status="200"}', {}, {'http_requests_total{status="200"}': 14}),
        ("http_requests_total{method='GET', status='500'}", {}, {"http_requests_total{method='GET', status='500'}": 1}),
        ("pool_in_use", {"pool_in_use": 5}, {}),
        ("pool_*", {"pool_in_use": 5}, {}),  # the other one is not a number
        ("took_seconds", {}, {"took_seconds_sum": 2.5, "took_seconds_count": 5}),
        ("took_seconds_bucket{le='1'}", {}, {"took_seconds_bucket{le='1'}": 4}),
        ("untyped_total", {}, {"untyped_total": 7}),
        ("untyped", {"untyped": 8}, {}),
        ("limit", {}, {}),
        ("nothing", {}, {}),
    ],
)
def test_a_name_keeps_its_samples(text: str, gauges: dict[str, float], counters: dict[str, float]) -> None:
    assert read(text) == Values(gauges, counters)


@pytest.mark.parametrize("texts", [("pool_in_use", "pool_*"), ("pool_*", "*_in_use"), ("pool_in_use", "pool_in_use")])
def test_a_series_that_two_names_mean_counts_once(texts: tuple[str, str]) -> None:
    assert read(*texts).gauges == {"pool_in_use": 5}


def test_openmetrics_is_read_with_its_exemplars() -> None:
    page = '# TYPE orders counter\norders_total 3.0 # {trace_id="ab"} 1.0 1700000000.0\norders_created 1.7e9\n# EOF\n'
    assert read("orders", page=page, is_openmetrics=True) == Values({}, {"orders": 3})


OPENMETRICS = """\
# TYPE orders counter
orders_total 3.0
# TYPE took_seconds histogram
took_seconds_bucket{le="1.0"} 4.0
took_seconds_bucket{le="+Inf"} 5.0
took_seconds_sum 2.5
took_seconds_count 5.0
# EOF
"""


@pytest.mark.parametrize(
    ("texts", "counters"),
    [
        (["took_seconds_count"], {"took_seconds_count": 5}),
        (["took_seconds_sum", "took_seconds_count"], {"took_seconds_sum": 2.5, "took_seconds_count": 5}),
        (["*_count"], {"took_seconds_count": 5}),
        (["*_total", "took_seconds"], {"orders_total": 3, "took_seconds_sum": 2.5, "took_seconds_count": 5}),
    ],
)
def test_parts_of_an_openmetrics_page_are_read(texts: list[str], counters: dict[str, float]) -> None:
    assert read(*texts, page=OPENMETRICS, is_openmetrics=True) == Values({}, counters)


def test_a_name_that_is_almost_a_series_is_not_found() -> None:
    _, found = parse(PAGE, selectors("pool_in_use", "pool_in_us"), is_openmetrics=False, url="http://x")
    assert found == {"pool_in_use"}


@pytest.mark.parametrize("page", ["<!doctype html>\n<p>pool_in_use</p>", '{"pool_in_use": 3}', "pool_in_use three"])
def test_another_page_is_rejected(page: str) -> None:
    with pytest.raises(HarnessError) as raised:
        read("pool_in_use", page=page)
    assert raised.value.code == "metrics-not-prometheus"


def test_an_empty_page_is_one_without_series() -> None:
    assert read("pool_in_use", page="") == Values()


def test_a_pattern_that_matches_everything_is_bounded() -> None:
    page = "".join(f"series_{number} 1\n" for number in range(1000))
    values = read("*", page=page)
    assert bounded(values)
    assert len(values.gauges) == MOST_SERIES
    assert not bounded(values)


@pytest.mark.parametrize("text", ["", "3x", "x{", 'x{a="1}', "x{a=1}", "a b"])
def test_text_without_a_series_is_not_a_selector(text: str) -> None:
    assert Selector.parse(text) is None

"""Metrics of a Prometheus or OpenMetrics page: those that are named, each summed over its labels."""

from __future__ import annotations

import base64
import http.client
import re
import time
from collections.abc import Iterable, Sequence
from difflib import get_close_matches
from urllib.parse import unquote, urlsplit

from harness.errors import HarnessError
from harness.messages import Message, alternatives, message
from harness.record.metric_readings import LARGEST
from harness.record.redaction import redacted
from harness.sources.pools import pools_in
from harness.sources.selector import Selector
from harness.sources.source import TIMEOUT_S, Source, SourceKind, Values, unreachable

MOST_BYTES = 10_000_000
MOST_SERIES = 200
"""Of one page; patterns may match more."""
_CHUNK = 1 << 16
_ACCEPT = "text/plain;version=0.0.4, application/openmetrics-text;version=1.0.0;q=0.5"
_NAME = re.compile(r"^([a-zA-Z_:][\w:]*)", re.MULTILINE)
_ENDING = re.compile(r"_(total|sum|count|bucket)$")
"""What the name of a sample may have beyond that of its family."""
_SELDOM_MEANT = ("_bucket", "_created")
_MOST_NEAR = 5
_COUNTED = ("_sum", "_count", "_bucket")
_FEWEST_FALLS, _SHARE_OF_FALLS = 3, 0.1
"""Readings in which a counter fell, and their share: a server that is started again explains fewer."""


class PrometheusSource(Source):
    """Reads one page, over one connection for as long as that stays open."""

    def __init__(self, url: str, series: Sequence[str]) -> None:
        self._url = url
        self._parts = urlsplit(url)
        self._wanted = [selector for text in series if (selector := Selector.parse(text)) is not None]
        self._connection: http.client.HTTPConnection | None = None
        self._found: set[str] = set()
        self._offered: set[str] = set()
        self._pools: list[Selector] = []
        self._dropped = False
        self._counters: dict[str, float] = {}
        self._reads = 0
        self._falls = 0

    def read(self) -> Values:
        text, is_openmetrics = self._page()
        if not self._offered or any(selector.text not in self._found for selector in self._wanted):
            self._offered = {*_NAME.findall(text)}
            # Pools are always kept, even if they are not named.
            of_pools = dict.fromkeys(name for pool in pools_in(self._offered) for name in pool if name is not None)
            named = {selector.name for selector in self._wanted}
            self._pools = [Selector(name, name, {}) for name in of_pools if name not in named]
        wanted = [*self._wanted, *self._pools]
        values, found = parse(text, wanted, is_openmetrics=is_openmetrics, url=redacted(self._url))
        self._found |= found
        self._dropped |= bounded(values)
        self._reads += 1
        self._falls += any(values.counters.get(name, total) < total for name, total in self._counters.items())
        self._counters = values.counters
        return values

    def missing(self) -> list[Message]:
        if not self._offered:
            return []
        url = redacted(self._url)
        notes = [
            message("series-not-offered", series=selector.text, url=url, alternatives=self._instead(selector))
            for selector in self._wanted
            if selector.text not in self._found
        ]
        if self._falls >= max(_FEWEST_FALLS, _SHARE_OF_FALLS * self._reads):
            notes.append(message("counters-fall", url=url, falls=self._falls, reads=self._reads))
        return notes + [message("series-too-many", url=url, most=MOST_SERIES)] * self._dropped

    def _instead(self, selector: Selector) -> Message:
        if selector.name in self._offered:
            return message("series-other-labels" if selector.labels else "series-not-a-number", name=selector.name)
        offered = sorted(name for name in self._offered if not name.endswith(_SELDOM_MEANT))
        return alternatives(selector.name, get_close_matches(selector.name, offered, n=_MOST_NEAR) or offered)

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _page(self) -> tuple[str, bool]:
        try:
            return self._get()
        except (OSError, http.client.HTTPException) as error:
            self.close()
            raise unreachable(self._url, error) from None
        except HarnessError:
            self.close()
            raise

    def _get(self) -> tuple[str, bool]:
        deadline = time.monotonic() + TIMEOUT_S
        if self._connection is None:
            secure = self._parts.scheme.lower() == "https"
            made = http.client.HTTPSConnection if secure else http.client.HTTPConnection
            self._connection = made(self._parts.hostname or "", self._parts.port, timeout=TIMEOUT_S)
        path = (self._parts.path or "/metrics") + (f"?{self._parts.query}" if self._parts.query else "")
        self._connection.request("GET", path, headers={"Accept": _ACCEPT, **self._authorization()})
        response = self._connection.getresponse()
        if response.status != 200:
            raise HarnessError(
                "metrics-refused", url=redacted(self._url), status=response.status, reason=response.reason
            )
        parts, size = [], 0
        while chunk := response.read1(_CHUNK):
            parts.append(chunk)
            size += len(chunk)
            if size > MOST_BYTES:
                raise HarnessError("metrics-page-too-large", url=redacted(self._url), most=MOST_BYTES)
            if time.monotonic() > deadline:
                raise TimeoutError
        response.read()  # lets the connection know that the response is complete
        if response.will_close:
            self.close()
        kind = response.headers.get_content_type()
        if kind == "text/html":
            raise HarnessError("metrics-not-prometheus", url=redacted(self._url), reason=f"it is {kind}")
        return b"".join(parts).decode(errors="replace"), kind == "application/openmetrics-text"

    def _authorization(self) -> dict[str, str]:
        if self._parts.username is None:
            return {}
        pair = f"{unquote(self._parts.username)}:{unquote(self._parts.password or '')}"
        return {"Authorization": f"Basic {base64.b64encode(pair.encode()).decode()}"}


def parse(text: str, wanted: Sequence[Selector], *, is_openmetrics: bool, url: str) -> tuple[Values, set[str]]:
    """The values of a page by series, and the texts of those of ``wanted`` that were there.

    Only lines that may matter are parsed: the parser takes 10 µs for each. Raises :class:`HarnessError` if it is none.
    """
    from prometheus_client.openmetrics.parser import text_string_to_metric_families as open_metrics
    from prometheus_client.parser import text_string_to_metric_families as prometheus

    names = [selector.prefix for selector in wanted]
    families = [_ENDING.sub("", name) for name in names]
    # The parser of OpenMetrics rejects a part of a histogram.
    prefixes = ("# EOF", *(families if is_openmetrics else names), *(f"# TYPE {family}" for family in families))
    lines = "\n".join(line for line in text.split("\n") if line and line.startswith(prefixes))
    if not lines and not _is_page(text):
        raise HarnessError("metrics-not-prometheus", url=url, reason="no line of it is a metric")
    values, found = Values(), set[str]()
    try:
        for family in (open_metrics if is_openmetrics else prometheus)(lines + "\n"):
            for sample in family.samples:
                number = float(sample.value)
                keys = set[str]()  # two names may mean one series, which counts once
                for selector in wanted if abs(number) <= LARGEST else ():  # not NaN, not infinite
                    key = selector.key(family.name, sample.name, sample.labels)
                    if key is not None:
                        keys.add(key)
                        found.add(selector.text)
                of_kind = values.counters if _is_counter(family.type, sample.name) else values.gauges
                for key in keys:
                    of_kind[key] = of_kind.get(key, 0.0) + number
    except (ValueError, KeyError, IndexError) as error:  # what the parser raises on a damaged line
        raise HarnessError("metrics-not-prometheus", url=url, reason=redacted(str(error))) from None
    return values, found


def _is_page(text: str) -> bool:
    """Whether any line looks like a sample."""
    return not text.strip() or re.search(r"^(#|[a-zA-Z_:][\w:]*(\{.*\})?[ \t]+\S+)", text, re.MULTILINE) is not None


def _is_counter(kind: str, sample: str) -> bool:
    match kind:
        case "counter":
            return True
        case "histogram" | "summary":
            return sample.endswith(_COUNTED)
        case "unknown" | "untyped":
            return sample.endswith(("_total", *_COUNTED))
    return False


def bounded(values: Values) -> bool:
    """Leave the first :data:`MOST_SERIES`; whether there were more."""
    names: Iterable[str] = sorted({*values.gauges, *values.counters})[MOST_SERIES:]
    for name in names:
        values.gauges.pop(name, None)
        values.counters.pop(name, None)
    return bool(names)


PROMETHEUS = SourceKind(
    name="prometheus", schemes=("http", "https"), example="http://127.0.0.1:9090/metrics", open=PrometheusSource
)

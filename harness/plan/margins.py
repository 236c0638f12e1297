"""How much worse a figure may get before it matters: ``5%``, ``p99=10%``, ``error_rate=0.5%``."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from harness.errors import HarnessError
from harness.messages import Option, alternatives
from harness.metrics import BENCH_METRICS, RUN_METRICS, synonyms
from harness.metrics.metric import Metric

DEFAULT = 0.05
DEFAULT_OF_SHARES = 0.005
"""Half a percentage point: a twentieth of an error rate says little where the rate is 0."""

_MARGIN = re.compile(r"(?:(?P<metric>[\w.]+)\s*=\s*)?(?P<number>\d+(?:\.\d+)?|\.\d+)\s*%")
_KNOWN: Mapping[str, Metric[Any]] = {**BENCH_METRICS, **RUN_METRICS}


@dataclass(frozen=True, slots=True)
class Margins:
    """A margin for all metrics, and those of single metrics."""

    of_all: float = DEFAULT
    by_metric: Mapping[str, float] = field(default_factory=dict)

    def of(self, metric: Metric[Any]) -> float:
        """The margin of a metric: relative, or for a share the difference of the shares."""
        return self.by_metric.get(metric.name, DEFAULT_OF_SHARES if metric.unit.is_share else self.of_all)


def parse_margins(texts: Iterable[str]) -> Margins:
    """The margins that ``texts`` state. Raises :class:`HarnessError`."""
    of_all, by_metric = DEFAULT, {}
    for text in texts:
        found = _MARGIN.fullmatch(text.strip())
        if found is None:
            raise HarnessError("margin-invalid", where=Option("margin", text))
        value = float(found["number"]) / 100
        if found["metric"] is None:
            of_all = value
        else:
            by_metric[_metric(found["metric"], text)] = value
    return Margins(of_all, by_metric)


def _metric(word: str, text: str) -> str:
    if word.lower() in _KNOWN:
        return word.lower()
    raise HarnessError(
        "margin-unknown-metric",
        where=Option("margin", text),
        word=word,
        alternatives=alternatives(word, _KNOWN, synonyms(_KNOWN)),
    )

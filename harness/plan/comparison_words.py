"""Gives the words of a requirement their meaning: the metric, the comparison, the limit and its unit."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar, get_args

from harness.messages import alternatives
from harness.metrics import synonyms
from harness.metrics.comparators import Comparator
from harness.metrics.metric import Metric
from harness.plan.problems import InvalidValue

_Data = TypeVar("_Data")

_COMPARATORS: tuple[Comparator, ...] = get_args(Comparator)
_COMPARATOR_FOR = {"=": "<=", "==": "<=", "=<": "<=", "≤": "<=", "=>": ">=", "≥": ">=", "<<": "<", ">>": ">"}
_LARGEST = 1e15


def metric_of(word: str, source: str, known: Mapping[str, Metric[_Data]]) -> Metric[_Data]:
    """The metric that ``word`` in ``source`` names. Raises ``InvalidValue``."""
    metric = known.get(word.lower())
    if metric is None:
        raise InvalidValue(
            "metric-unknown", text=source, word=word, alternatives=alternatives(word, known, synonyms(known))
        )
    return metric


def comparator_of(word: str, source: str) -> Comparator:
    """The comparator that ``word`` in ``source`` is. Raises ``InvalidValue``."""
    for comparator in _COMPARATORS:
        if word == comparator:
            return comparator
    if likely := _COMPARATOR_FOR.get(word):
        raise InvalidValue("comparison-misspelled", text=source, word=word, meant=source.replace(word, likely, 1))
    raise InvalidValue("comparison-unknown", text=source, word=word, known=_COMPARATORS)


def number_of(text: str, source: str) -> float:
    """The number ``text`` in ``source``. Raises ``InvalidValue`` if it is absurdly large."""
    number = float(text)
    if abs(number) > _LARGEST:
        raise InvalidValue("limit-too-large", text=source, most=_LARGEST)
    return number


def check_sign(number: str, unit: str, source: str) -> None:
    """Raises ``InvalidValue`` where a limit has a sign."""
    if number[0] in "+-":
        raise InvalidValue("limit-with-sign", text=source, meant=f"{number[1:]}{unit}")


def wrong_unit(metric: Metric[_Data], unit: str, source: str, *, relative: bool) -> InvalidValue:
    """The error for a unit that is not the metric's; ``relative``: a percentage of the baseline would be right too."""
    if relative:
        return InvalidValue(
            "relative-limit-of-wrong-unit",
            text=source,
            unit=unit,
            metric=metric.name,
            wording=metric.unit.wording,
            example=metric.example,
        )
    return InvalidValue(
        "limit-of-wrong-unit",
        text=source,
        unit=unit,
        metric=metric.name,
        wording=metric.unit.wording,
        example=metric.example,
    )


def check_range(metric: Metric[_Data], comparator: str, value: float, source: str) -> None:
    if value > metric.unit.most:
        raise InvalidValue(
            "limit-out-of-range",
            text=source,
            metric=metric.name,
            most=metric.unit.most,
            unit=metric.unit.name,
            example=metric.example,
        )
    if value == 0 and comparator == "<":
        raise InvalidValue("limit-never-holds", text=source)

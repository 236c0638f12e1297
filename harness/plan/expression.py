"""Parses requirements, ``p95 < 500ms``, and limits made of them, ``p95 > 500ms or error_rate > 1%``.

The grammar also covers benchmarks, ``bench("test_serialize_cart").mean <= baseline + 5%``. It accepts any word as a
metric and any unit. Both are checked afterwards, so that a message can name the wrong word and suggest the right one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import Any, TypeVar, get_args

from harness.messages import alternatives
from harness.metrics import BENCH_METRICS, RUN_METRICS, synonyms
from harness.metrics.metric import Metric
from harness.plan.bench import BenchGate
from harness.plan.grammar import BENCHMARK, CONDITION, Word, words_of
from harness.plan.problems import InvalidValue
from harness.plan.requirement import Comparator, Comparison, Condition

_Data = TypeVar("_Data")

_EXAMPLES = ('"p95 < 500ms"', '"error_rate < 1%"', '"throughput >= 450/s"')
_BENCH_EXAMPLES = ('bench("test_search").mean <= baseline + 5%', 'bench("test_*").p95 < 2ms')
_COMPARATORS: tuple[Comparator, ...] = get_args(Comparator)
_COMPARATOR_FOR = {"=": "<=", "==": "<=", "=<": "<=", "≤": "<=", "=>": ">=", "≥": ">=", "<<": "<", ">>": ">"}
_LARGEST = 1e15


def parse_requirement(text: object) -> Comparison:
    """One requirement on one metric, as a gate states it. Raises ``InvalidValue``."""
    condition = _parse(text)
    if len(condition.any_of) > 1 or len(condition.any_of[0]) > 1:
        raise InvalidValue("requirement-joined", text=text)
    return condition.any_of[0][0]


def parse_limit(text: object) -> Condition:
    """When a stress phase has broken: requirements joined by ``and`` and ``or``, without a baseline.

    Raises ``InvalidValue``, also for what is true before any load: ``p95 < 500ms`` would end the first step.
    """
    condition = _parse(text)
    for group in condition.any_of:
        for comparison in group:
            if comparison.baseline:
                raise InvalidValue("limit-with-baseline", text=comparison.source)
            if comparison.measures.needs != "requests":
                raise InvalidValue("limit-on-target", text=comparison.source, metric=comparison.metric)
            if comparison.measures.better == "lower" and comparison.is_upper:
                turned = comparison.source.replace(comparison.comparator, comparison.comparator.replace("<", ">"), 1)
                raise InvalidValue("limit-true-from-start", text=comparison.source, meant=turned)
    return condition


def parse_bench_gate(text: object) -> BenchGate:
    """One requirement on benchmarks. Raises ``InvalidValue``."""
    if not isinstance(text, str) or not text.strip():
        raise InvalidValue("requirement-invalid", text=text, examples=_BENCH_EXAMPLES)
    if not text.lstrip().lower().startswith("bench"):
        raise InvalidValue("requirement-without-benchmark", text=text, examples=_BENCH_EXAMPLES)
    words, source = words_of(text, BENCHMARK, _BENCH_EXAMPLES), text.strip()
    name = next(word.text for word in words if word.kind == "NAME")[1:-1].strip()
    if not name:
        raise InvalidValue("benchmark-name-empty", text=source, examples=_BENCH_EXAMPLES)
    fields, percent = terms(words, source, BENCH_METRICS)
    return BenchGate.model_validate(fields | {"benchmark": name, "percent": percent})


def _parse(text: object) -> Condition:
    if not isinstance(text, str) or not text.strip():
        raise InvalidValue("requirement-invalid", text=text, examples=_EXAMPLES)
    if text.lstrip().lower().startswith("bench"):
        raise InvalidValue("requirement-on-benchmark", text=text)
    groups = tuple(
        tuple(_comparison(comparison, text) for comparison in _parts(group, "AND"))
        for group in _parts(words_of(text, CONDITION, _EXAMPLES), "OR")
    )
    return Condition(any_of=groups, source=text.strip())


def _parts(words: Sequence[Word], joint: str) -> list[list[Word]]:
    return [list(part) for joins, part in groupby(words, lambda word: word.kind == joint) if not joins]


def _comparison(words: Sequence[Word], text: str) -> Comparison:
    source = text[words[0].start : words[-1].end]
    if words[-1].kind == "DIRECTION":
        return _without_step(words, source)
    fields, is_relative = terms(words, source, RUN_METRICS)
    return Comparison.model_validate(fields | ({"unit": "%"} if is_relative else {}))


def _without_step(words: Sequence[Word], source: str) -> Comparison:
    metric, direction = _known(words[0].text, source, RUN_METRICS), words[-1].text.lower()
    worse = "up" if metric.better == "lower" else "down"
    if direction != worse:
        raise InvalidValue("step-that-improves", text=source, meant=f"{metric.name} no step {worse}")
    return Comparison(
        metric=metric.name,
        comparator="<=" if direction == "up" else ">=",
        value=0,
        unit=metric.unit.name,
        baseline=True,
        step=worse,
        source=source,
    )


def terms(parts: Sequence[Word], source: str, known: Mapping[str, Metric[_Data]]) -> tuple[dict[str, Any], bool]:
    """The fields that every requirement has, and whether the value is in per cent of the baseline's figure.

    Raises ``InvalidValue``.
    """
    words = {word.kind: word.text for word in parts}
    metric = _known(words["WORD"], source, known)
    comparator = words["COMPARATOR"]
    if comparator not in _COMPARATORS:
        likely = _COMPARATOR_FOR.get(comparator)
        if likely:
            meant = source.replace(comparator, likely, 1)
            raise InvalidValue("comparison-misspelled", text=source, word=comparator, meant=meant)
        raise InvalidValue("comparison-unknown", text=source, word=comparator, known=_COMPARATORS)
    value, is_relative = _quantity(metric, words, source)
    return {
        "metric": metric.name,
        "comparator": comparator,
        "value": value,
        "unit": metric.unit.name,
        "baseline": "BASELINE" in words,
        "source": source,
    }, is_relative


def _known(word: str, source: str, known: Mapping[str, Metric[_Data]]) -> Metric[_Data]:
    metric = known.get(word.lower())
    if metric is None:
        others = alternatives(word, known, synonyms(known))
        raise InvalidValue("metric-unknown", text=source, word=word, alternatives=others)
    return metric


def _quantity(metric: Metric[_Data], words: Mapping[str, str], source: str) -> tuple[float, bool]:
    """The limit, or the change from the baseline, in the metric's own unit or in per cent of the baseline's figure."""
    if "NUMBER" not in words:  # a bare ``baseline``
        return 0.0, True
    number, written, unit = words["NUMBER"], "".join(words.get("UNIT", "").split()), metric.unit
    value, baseline = float(number), "BASELINE" in words
    is_relative = baseline and written == "%"
    if value > _LARGEST:
        raise InvalidValue("limit-too-large", text=source, most=_LARGEST)
    if number[0] in "+-":
        raise InvalidValue("limit-with-sign", text=source, meant=f"{number[1:]}{written}")
    if not is_relative and written not in unit.scales:
        raise _wrong_unit(metric, number, written, source, baseline=baseline)
    if not baseline and value > unit.most:
        raise InvalidValue("limit-out-of-range", text=source, metric=metric.name, most=unit.most, unit=unit.name)
    if not baseline and value == 0 and words["COMPARATOR"] == "<" and not unit.is_signed:
        raise InvalidValue("limit-never-holds", text=source)
    scale = (1.0 if is_relative else unit.scales[written]) * (-1.0 if words.get("SIGN") == "-" else 1.0)
    # Rounded, so that 1.1 s is 1100 ms and not 1100.0000000000002.
    return float(f"{value * scale:.12g}"), is_relative


def _wrong_unit(metric: Metric[_Data], number: str, written: str, source: str, *, baseline: bool) -> InvalidValue:
    params = {"text": source, "metric": metric.name, "wording": metric.unit.wording}
    if not written:
        completed = f"{number}%" if baseline else metric.unit.completed(number)
        head, _, tail = source.rpartition(number)
        return InvalidValue("limit-without-unit", meant=f"{head}{completed}{tail}", **params)
    examples = (metric.example, *([f"{metric.name} <= baseline + 10%"] if baseline else []))
    return InvalidValue("limit-of-wrong-unit", unit=written, examples=examples, **params)

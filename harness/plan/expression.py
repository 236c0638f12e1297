"""Parses requirements, ``p95 < 500ms``, and limits made of them, ``p95 > 500ms or error_rate > 1%``.

The grammar (:mod:`harness.plan.grammar`) also covers benchmarks, ``bench("test_search").mean <= baseline + 5%``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any, Literal, TypeVar, get_args

from harness.errors import InvalidValue
from harness.messages import alternatives
from harness.metrics import BENCH_METRICS, RUN_METRICS, synonyms
from harness.metrics.metric import Metric
from harness.metrics.named import metric_name, name_in, named_metric
from harness.metrics.series import STATISTICS, SYNONYMS, SeriesFigure, series_metric
from harness.plan.bench import BenchGate
from harness.plan.fault_requirement import checked_recovery, on_fault
from harness.plan.grammar import EXPECTED, GRAMMAR
from harness.plan.requirement import Comparator, Comparison, Condition

if TYPE_CHECKING:
    from lark import Lark, ParseTree, Token, UnexpectedInput

_Data = TypeVar("_Data")

_EXAMPLES = ('"p95 < 500ms"', '"error_rate < 1%"', '"throughput >= 450/s"')
_BENCH_EXAMPLES = ('bench("test_search").mean <= baseline + 5%', 'bench("test_*").p95 < 2ms')
_SERIES_EXAMPLES = (
    'metric("db_pool_in_use").max <= 18',
    'metric("hits").rate / metric("reads").rate >= 80%',
)
_NAMED_EXAMPLES = ('check("total is right") >= 99.9%', 'verify("lost_writes") = 0')
_COMPARATORS: tuple[Comparator, ...] = tuple(each for each in get_args(Comparator) if each != "=")
"""Of what has noise; a figure of ``verify`` may be required to equal a number."""
_COMPARATOR_FOR = {"=": "<=", "==": "<=", "=<": "<=", "≤": "<=", "=>": ">=", "≥": ">=", "<<": "<", ">>": ">"}
_LARGEST = 1e15
_LONGEST = 1000


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
            if comparison.fault is not None:
                raise InvalidValue("limit-on-fault", text=comparison.source)
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
    tokens, source = tokens_of(parsed(text, "benchmark", _BENCH_EXAMPLES)), text.strip()
    name = next(token for token in tokens if token.type == "NAME")[1:-1].strip()
    if not name:
        raise InvalidValue("benchmark-name-empty", text=source, examples=_BENCH_EXAMPLES)
    word = next(token for token in tokens if token.type == "WORD")
    fields, percent = terms(tokens, source, _known(word, source, BENCH_METRICS))
    return BenchGate.model_validate(fields | {"benchmark": name, "percent": percent})


def _parse(text: object) -> Condition:
    if not isinstance(text, str) or not text.strip():
        raise InvalidValue("requirement-invalid", text=text, examples=_EXAMPLES)
    if text.lstrip().lower().startswith("bench"):
        raise InvalidValue("requirement-on-benchmark", text=text)
    examples = _SERIES_EXAMPLES if text.lstrip().lower().startswith("metric") else _EXAMPLES
    tree = parsed(text, "condition", examples)
    return _condition(tree, text, text.strip())


def _condition(tree: ParseTree, text: str, source: str) -> Condition:
    groups = tuple(tuple(_comparison(comparison, text) for comparison in _branches(group)) for group in _branches(tree))
    return Condition(any_of=groups, source=source)


def parsed(text: str, start: Literal["condition", "benchmark"], examples: Sequence[str]) -> ParseTree:
    """The tree of ``text`` by that rule of the grammar. Raises ``InvalidValue``, with ``examples`` in its hint."""
    from lark import UnexpectedInput

    if len(text) > _LONGEST:
        raise InvalidValue("requirement-too-long", length=len(text), most=_LONGEST)
    try:
        return _parser().parse(text, start=start)
    except UnexpectedInput as error:
        raise _syntax_problem(text, error, examples) from None


@cache
def _parser() -> Lark:
    from lark import Lark

    return Lark(GRAMMAR, start=["condition", "benchmark"], parser="lalr")


def _syntax_problem(text: str, error: UnexpectedInput, examples: Sequence[str]) -> InvalidValue:
    accepted = getattr(error, "accepts", None)
    if not accepted:  # a character that starts no word of the grammar
        return InvalidValue(
            "requirement-unexpected-character",
            text=text,
            character=text[error.column - 1],
            column=error.column,
            examples=examples,
        )
    expected = [word for name, word in EXPECTED.items() if name in accepted]
    if getattr(getattr(error, "token", None), "type", None) == "$END":
        return InvalidValue("requirement-incomplete", text=text, expected=expected, examples=examples)
    return InvalidValue(
        "requirement-unexpected-word", text=text, expected=expected, column=error.column, examples=examples
    )


def _branches(tree: ParseTree) -> list[ParseTree]:
    return [child for child in tree.children if not isinstance(child, str)]


def tokens_of(tree: ParseTree) -> list[Token]:
    """The words right below ``tree``."""
    return [child for child in tree.children if isinstance(child, str)]


def _comparison(tree: ParseTree, text: str) -> Comparison:
    tokens = tokens_of(tree)
    source = text[tokens[0].start_pos : tokens[-1].end_pos]
    metric = _metric(tokens[0], source)
    if metric.needs == "verify" and any(token.type in ("BASELINE", "DIRECTION") for token in tokens):
        raise InvalidValue("figure-with-baseline", text=source, metric=metric.name)
    if any(token.type == "DIRECTION" for token in tokens):
        return on_fault(_without_step(metric, tokens, source), tokens)
    fields, is_relative = terms(tokens, source, metric)
    recovered = [_recovered(condition, text) for condition in _branches(tree)]
    fields |= {"unit": "%"} if is_relative else {}
    fields |= {"recovered": recovered[0]} if recovered else {}
    return on_fault(Comparison.model_validate(fields), tokens)


def _recovered(tree: ParseTree, text: str) -> Condition:
    tokens = [*tree.scan_values(lambda _: True)]
    return checked_recovery(_condition(tree, text, text[tokens[0].start_pos : tokens[-1].end_pos]))


def _metric(token: Token, source: str) -> Metric[Any]:
    """The metric that a requirement begins with. Raises ``InvalidValue``."""
    if token.type == "SERIES":
        return _series(token, source)
    if token.type in ("WORD", "RECOVERY"):
        return _known(token, source, RUN_METRICS)
    name = name_in(token)
    if not name:
        raise InvalidValue("named-metric-empty", text=source, examples=_NAMED_EXAMPLES)
    return named_metric(metric_name("check" if token[0] in "cC" else "verify", name))


def _series(text: str, source: str) -> Metric[float]:
    """The metric of a figure of a series, or of a quotient of two. Raises ``InvalidValue``."""
    figure = SeriesFigure.parse(text)
    for part in figure.parts:
        if not part.series:
            raise InvalidValue("series-without-name", text=source, examples=_SERIES_EXAMPLES)
        if part.statistic not in STATISTICS:
            others = alternatives(part.statistic, STATISTICS, SYNONYMS)
            raise InvalidValue("series-statistic-unknown", text=source, word=part.statistic, alternatives=others)
    return series_metric(str(figure))


def _without_step(metric: Metric[Any], tokens: Sequence[Token], source: str) -> Comparison:
    direction = next(str(token).lower() for token in tokens if token.type == "DIRECTION")
    worse = "up" if metric.better == "lower" else "down"
    if direction != worse and metric.needs != "metrics":  # which direction is worse, only the user knows of a series
        raise InvalidValue("step-that-improves", text=source, meant=f"{metric.name} no step {worse}")
    return Comparison(
        metric=metric.name,
        comparator="<=" if direction == "up" else ">=",
        value=0,
        unit=metric.unit.name,
        baseline=True,
        step=direction,
        source=source,
    )


def terms(tokens: Sequence[Token], source: str, metric: Metric[Any]) -> tuple[dict[str, Any], bool]:
    """The fields that every requirement has, and whether the value is in per cent of the baseline's figure.

    Raises ``InvalidValue``.
    """
    words = {token.type: str(token) for token in tokens}
    comparator = words["COMPARATOR"]
    if metric.needs == "verify" and comparator in ("=", "=="):
        comparator = "="
    elif comparator not in _COMPARATORS:
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
    may_be_negative = unit.is_signed or metric.needs == "metrics"
    if is_relative and words.get("SIGN") == "-" and value >= 100 and not may_be_negative:
        raise InvalidValue("limit-without-baseline-left", text=source)
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

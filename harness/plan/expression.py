"""Parses requirements, ``p95 < 500ms``, and limits made of them, ``p95 > 500ms or error_rate > 1%``.

The grammar also covers benchmarks, ``bench("test_search").mean < 2ms``; :mod:`harness.plan.bench_expression` gives
those their meaning. It accepts any word as a metric and any unit. Both are checked afterwards, so that a message can
name the wrong word and suggest the right one.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING, Literal, TypeVar

from harness.metrics import RUN_METRICS
from harness.metrics.comparators import is_upper
from harness.metrics.metric import Metric
from harness.plan.comparison_words import check_range, check_sign, comparator_of, metric_of, number_of, wrong_unit
from harness.plan.problems import InvalidValue
from harness.plan.requirement import Comparison, Condition

if TYPE_CHECKING:
    from lark import Lark, ParseTree, Token, UnexpectedInput

_Data = TypeVar("_Data")

_GRAMMAR = r"""
condition: group ("or"i group)*
group: comparison ("and"i comparison)*
comparison: WORD COMPARATOR _limit
benchmark: BENCH "(" NAME ")" "." WORD COMPARATOR _limit
_limit: NUMBER UNIT? | BASELINE (SIGN NUMBER UNIT?)?

BASELINE: "baseline"i
BENCH: "bench"i
NAME: /"[^"]*"|'[^']*'/
WORD: /[a-zA-Z_][\w.]*/
COMPARATOR: /[<>=!]+|≤|≥/
NUMBER: /[+-]?(\d+(\.\d+)?|\.\d+)/
SIGN: "+" | "-"
UNIT: /[a-zA-Zµ]+|%|\/\s*[a-zA-Z]+/

%import common.WS
%ignore WS
"""

_EXAMPLES = ('"p95 < 500ms"', '"error_rate < 1%"', '"throughput >= 450/s"')
_EXPECTED = {
    "WORD": "a metric",
    "COMPARATOR": "a comparison (<, <=, >, >=)",
    "NUMBER": "a number",
    "BASELINE": '"baseline"',
    "UNIT": "a unit",
    "SIGN": "+ or -",
    "OR": '"or"',
    "AND": '"and"',
    "$END": "the end",
    "BENCH": "bench(…)",
    "NAME": "a benchmark's name in quotes",
    "LPAR": "(",
    "RPAR": ")",
    "DOT": "a dot",
}


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
            if comparison.measures.better == "lower" and is_upper(comparison.comparator):
                turned = comparison.source.replace(comparison.comparator, comparison.comparator.replace("<", ">"), 1)
                raise InvalidValue("limit-true-from-start", text=comparison.source, meant=turned)
    return condition


def _parse(text: object) -> Condition:
    if not isinstance(text, str) or not text.strip():
        raise InvalidValue("requirement-invalid", text=text, examples=_EXAMPLES)
    if text.lstrip().lower().startswith("bench"):
        raise InvalidValue("requirement-on-benchmark", text=text)
    tree = parsed(text, "condition", _EXAMPLES)
    groups = tuple(
        tuple(_comparison(tokens_of(comparison), text) for comparison in _branches(group)) for group in _branches(tree)
    )
    return Condition(any_of=groups, source=text.strip())


def parsed(text: str, start: Literal["condition", "benchmark"], examples: Sequence[str]) -> ParseTree:
    """The tree of ``text`` by that rule of the grammar. Raises ``InvalidValue``, with ``examples`` in its hint."""
    from lark import UnexpectedInput

    try:
        return _parser().parse(text, start=start)
    except UnexpectedInput as error:
        raise _syntax_problem(text, error, examples) from None


@cache
def _parser() -> Lark:
    from lark import Lark

    return Lark(_GRAMMAR, start=["condition", "benchmark"], parser="lalr")


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
    expected = [word for name, word in _EXPECTED.items() if name in accepted]
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


def _comparison(tokens: list[Token], text: str) -> Comparison:
    source = text[tokens[0].start_pos : tokens[-1].end_pos]
    words = {token.type: str(token) for token in tokens}
    metric = metric_of(words["WORD"], source, RUN_METRICS)
    comparator = comparator_of(words["COMPARATOR"], source)
    baseline = "BASELINE" in words
    if "NUMBER" not in words:  # a bare ``baseline``
        return Comparison(metric=metric.name, comparator=comparator, value=0.0, unit="%", baseline=True, source=source)
    value, unit = _quantity(metric, words, source)
    if baseline and words["SIGN"] == "-":
        value = -value
    return Comparison(
        metric=metric.name, comparator=comparator, value=value, unit=unit, baseline=baseline, source=source
    )


def _quantity(metric: Metric[_Data], words: dict[str, str], source: str) -> tuple[float, str]:
    """The limit in the metric's own unit, or per cent of the baseline."""
    number, unit_text = words["NUMBER"], words.get("UNIT", "").replace(" ", "")
    value, baseline = number_of(number, source), "BASELINE" in words
    check_sign(number, unit_text, source)
    unit = metric.unit
    if not unit_text:
        completed = f"{number}%" if baseline else unit.completed(number)
        head, _, tail = source.rpartition(number)
        raise InvalidValue("limit-without-unit", text=source, meant=f"{head}{completed}{tail}")
    if baseline and unit_text == "%":
        return value, "%"
    if unit_text not in unit.scales:
        raise wrong_unit(metric, unit_text, source, relative=baseline and not unit.is_share)
    if not baseline:
        check_range(metric, words["COMPARATOR"], value, source)
    # Rounded, so that 1.1 s is 1100 ms and not 1100.0000000000002.
    return round(value * unit.scales[unit_text], 9), unit.name

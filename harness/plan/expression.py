"""Requirements as people write them, ``p95 < 500ms``, and conditions of them, ``p95 > 500ms or error_rate > 1%``.

The grammar also holds those on benchmarks, ``bench("test_search").mean < 2ms``, which
:mod:`harness.plan.bench_expression` gives their meaning.

The grammar takes any word for a metric and any unit; what each means is checked afterwards, so that a message can say
which word or unit is wrong and what would be right.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING, Literal, TypeVar, get_args

from harness.metrics import RUN_METRICS, synonyms
from harness.metrics.comparators import Comparator, is_upper
from harness.metrics.metric import Metric
from harness.plan.model import Comparison, Condition
from harness.plan.problems import InvalidValue, listed, quoted, suggestion

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

_COMPARATORS: tuple[Comparator, ...] = get_args(Comparator)
_COMPARATOR_FOR = {"=": "<=", "==": "<=", "=<": "<=", "≤": "<=", "=>": ">=", "≥": ">=", "<<": "<", ">>": ">"}
_LARGEST = 1e15
_EXAMPLES = 'write, for example, "p95 < 500ms", "error_rate < 1%" or "throughput >= 450/s"'
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
        raise InvalidValue(f"{quoted(text)} joins requirements", "a gate is one requirement: write a gate for each")
    return condition.any_of[0][0]


def parse_limit(text: object) -> Condition:
    """When a stress phase has broken: requirements joined by ``and``, ``or``, without a baseline.

    Raises ``InvalidValue``, also for what is true before any load: ``p95 < 500ms`` would end the first step.
    """
    condition = _parse(text)
    for group in condition.any_of:
        for comparison in group:
            if comparison.baseline:
                raise InvalidValue(
                    f"{quoted(comparison.source)} compares with a baseline, which is known only after the run",
                    'name the limit itself, such as "p95 > 500ms"; a gate may compare with the baseline',
                )
            if comparison.measures.better == "lower" and is_upper(comparison.comparator):
                turned = comparison.source.replace(comparison.comparator, comparison.comparator.replace("<", ">"), 1)
                raise InvalidValue(
                    f"{quoted(comparison.source)} is true from the start, so the first step would be the last",
                    f'"until" says when the limit breaks: did you mean "{turned}"?',
                )
    return condition


def _parse(text: object) -> Condition:
    if not isinstance(text, str) or not text.strip():
        raise InvalidValue(f"{quoted(text)} is not a requirement", _EXAMPLES)
    if text.lstrip().lower().startswith("bench"):
        raise InvalidValue(f"{quoted(text)} is a gate of a benchmark", "`harness bench` reads it; a run has none")
    tree = parsed(text, "condition", _EXAMPLES)
    groups = tuple(
        tuple(_comparison(tokens_of(comparison), text) for comparison in _branches(group)) for group in _branches(tree)
    )
    return Condition(any_of=groups, source=text.strip())


def parsed(text: str, start: Literal["condition", "benchmark"], examples: str) -> ParseTree:
    """The tree of ``text`` by that rule of the grammar. Raises ``InvalidValue``, with ``examples`` as its hint."""
    from lark import UnexpectedInput

    try:
        return _parser().parse(text, start=start)
    except UnexpectedInput as error:
        raise _syntax_problem(text, error, examples) from None


@cache
def _parser() -> Lark:
    from lark import Lark

    return Lark(_GRAMMAR, start=["condition", "benchmark"], parser="lalr")


def _syntax_problem(text: str, error: UnexpectedInput, examples: str) -> InvalidValue:
    accepted = getattr(error, "accepts", None)
    if not accepted:  # a character that starts no word of the grammar
        message = (
            f"{quoted(text)} cannot be read: {quoted(text[error.column - 1])} at column {error.column} is unexpected"
        )
        return InvalidValue(message, examples)
    at_end = getattr(getattr(error, "token", None), "type", None) == "$END"
    at = "at its end" if at_end else f"at column {error.column}"
    wanted = " or ".join(word for name, word in _EXPECTED.items() if name in accepted)
    return InvalidValue(f"{quoted(text)} cannot be read {at}: expected {wanted}", examples)


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


def metric_of(word: str, source: str, known: Mapping[str, Metric[_Data]]) -> Metric[_Data]:
    """The metric of ``known`` that ``word`` in ``source`` is. Raises ``InvalidValue``."""
    metric = known.get(word.lower())
    if metric is None:
        raise InvalidValue(f"{quoted(source)}: unknown metric {quoted(word)}", suggestion(word, known, synonyms(known)))
    return metric


def comparator_of(word: str, source: str) -> Comparator:
    """The comparison that ``word`` in ``source`` is. Raises ``InvalidValue``."""
    for comparator in _COMPARATORS:
        if word == comparator:
            return comparator
    likely = _COMPARATOR_FOR.get(word)
    right = f'did you mean "{source.replace(word, likely, 1)}"?' if likely else f"known: {listed(_COMPARATORS)}"
    raise InvalidValue(f"{quoted(source)}: {quoted(word)} is not a comparison", right)


def _quantity(metric: Metric[_Data], words: dict[str, str], source: str) -> tuple[float, str]:
    """The limit in the metric's own unit, or per cent of the baseline."""
    number, unit_text = words["NUMBER"], words.get("UNIT", "").replace(" ", "")
    value, baseline = number_of(number, source), "BASELINE" in words
    if number[0] in "+-":
        raise InvalidValue(f"{quoted(source)}: a limit has no sign", f'write "{number[1:]}{unit_text}"')
    unit = metric.unit
    if not unit_text:
        completed = f"{number}%" if baseline else unit.completed(number)
        head, _, tail = source.rpartition(number)
        raise InvalidValue(f"{quoted(source)}: a unit is missing", f'did you mean "{head}{completed}{tail}"?')
    if baseline and unit_text == "%":
        return value, "%"
    if unit_text not in unit.scales:
        also = ", or in % of the baseline: baseline + 10%" if baseline and not unit.is_share else ""
        raise InvalidValue(
            f"{quoted(source)}: {quoted(unit_text)} is not a unit of {metric.name}",
            f"it is {unit.wording}: {metric.example}{also}",
        )
    if not baseline:
        _check_range(metric, words["COMPARATOR"], value, source)
    # Rounded, so that 1.1 s is 1100 ms and not 1100.0000000000002.
    return round(value * unit.scales[unit_text], 9), unit.name


def number_of(text: str, source: str) -> float:
    """The number that ``text`` in ``source`` is. Raises ``InvalidValue`` where it is beyond all use."""
    number = float(text)
    if abs(number) > _LARGEST:
        raise InvalidValue(f"{quoted(source)}: the number is too large", f"write {_LARGEST:.0e} at most")
    return number


def _check_range(metric: Metric[_Data], comparator: str, value: float, source: str) -> None:
    if value > metric.unit.most:
        raise InvalidValue(
            f"{quoted(source)}: {metric.name} is at most {metric.unit.most:g} {metric.unit.name}",
            f"write, for example, {metric.example}",
        )
    if value == 0 and comparator == "<":
        raise InvalidValue(f"{quoted(source)} can never hold", "nothing is below 0: raise the limit, or use <=")

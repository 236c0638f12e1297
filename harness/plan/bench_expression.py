"""Parses requirements on benchmarks: ``bench("test_serialize_cart").mean <= baseline + 5%``."""

from __future__ import annotations

from harness.metrics import BENCH_METRICS
from harness.metrics.metric import Metric
from harness.metrics.rounds import RoundTimes
from harness.plan.bench import BenchGate
from harness.plan.comparison_words import check_sign, comparator_of, metric_of, number_of, wrong_unit
from harness.plan.expression import parsed, tokens_of
from harness.plan.problems import InvalidValue

_EXAMPLES = ('bench("test_search").mean <= baseline + 5%', 'bench("test_*").p95 < 2ms')


def parse_bench_gate(text: object) -> BenchGate:
    """One requirement on benchmarks. Raises ``InvalidValue``."""
    if not isinstance(text, str) or not text.strip():
        raise InvalidValue("requirement-invalid", text=text, examples=_EXAMPLES)
    if not text.lstrip().lower().startswith("bench"):
        raise InvalidValue("requirement-without-benchmark", text=text, examples=_EXAMPLES)
    words = {token.type: str(token) for token in tokens_of(parsed(text, "benchmark", _EXAMPLES))}
    source = text.strip()
    name = words["NAME"][1:-1].strip()
    if not name:
        raise InvalidValue("benchmark-name-empty", text=source, examples=_EXAMPLES)
    metric = metric_of(words["WORD"], source, BENCH_METRICS)
    value, percent = _value(metric, words, source)
    return BenchGate(
        benchmark=name,
        metric=metric.name,
        comparator=comparator_of(words["COMPARATOR"], source),
        value=value,
        unit=metric.unit.name,
        percent=percent,
        baseline="BASELINE" in words,
        source=source,
    )


def _value(metric: Metric[RoundTimes], words: dict[str, str], source: str) -> tuple[float, bool]:
    """The limit in the metric's own unit, or the change from the baseline, and whether that is in per cent."""
    if "NUMBER" not in words:  # a bare ``baseline``
        return 0.0, True
    number, unit_text = words["NUMBER"], words.get("UNIT", "").replace(" ", "")
    check_sign(number, unit_text, source)
    sign = -1.0 if words.get("SIGN") == "-" else 1.0
    if "BASELINE" in words and unit_text == "%":
        return sign * number_of(number, source), True
    scales = metric.unit.scales
    if unit_text not in scales:
        if unit_text:
            raise wrong_unit(metric, unit_text, source, relative="BASELINE" in words)
        raise InvalidValue("requirement-without-unit", text=source, metric=metric.name, wording=metric.unit.wording)
    # Rounded, so that 1.1 ms is 0.0011 s and not 0.0011000000000000001.
    return float(f"{sign * number_of(number, source) * scales[unit_text]:.12g}"), False

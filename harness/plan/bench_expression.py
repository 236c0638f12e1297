"""Requirements on benchmarks as people write them: ``bench("test_serialize_cart").mean <= baseline + 5%``."""

from __future__ import annotations

from typing import get_args

from harness.plan.bench import BenchGate, BenchMetric, BenchUnit
from harness.plan.expression import comparator_of, metric_of, number_of, parsed, tokens_of
from harness.plan.problems import UnreadableError, listed, quoted

METRICS: tuple[BenchMetric, ...] = get_args(BenchMetric)

UNITS: dict[BenchMetric, BenchUnit] = {
    **dict.fromkeys(METRICS, "s"),
    "ops": "/s",
    "rounds": "",
    "allocations": "",
    "peak": "B",
}
"""The unit each metric's figures are in."""

_SCALES: dict[BenchUnit, dict[str, float]] = {
    "s": {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0},
    "/s": {"/s": 1.0},
    "B": {"B": 1.0, "kB": 1e3, "KB": 1e3, "MB": 1e6, "GB": 1e9, "KiB": 2.0**10, "MiB": 2.0**20, "GiB": 2.0**30},
    "": {"": 1.0},
}
_WRITTEN: dict[BenchUnit, str] = {
    "s": "in ns, us, ms or s",
    "/s": "per second, written /s",
    "B": "in B, kB, MB, KiB or MiB",
    "": "a plain number, without a unit",
}
_SYNONYMS = {
    "average": "mean", "avg": "mean", "std": "stddev", "sd": "stddev", "stdev": "stddev", "minimum": "min",
    "maximum": "max", "p100": "max", "p999": "p99.9", "throughput": "ops", "rate": "ops", "memory": "peak",
    "peak_memory": "peak", "mallocs": "allocations",
}  # fmt: skip
_EXAMPLES = 'write, for example, bench("test_search").mean <= baseline + 5% or bench("test_*").p95 < 2ms'


def parse_bench_gate(text: object) -> BenchGate:
    """One requirement on benchmarks. Raises ``UnreadableError``."""
    if not isinstance(text, str) or not text.strip():
        raise UnreadableError(f"{quoted(text)} is not a requirement", _EXAMPLES)
    if not text.lstrip().lower().startswith("bench"):
        raise UnreadableError(f"{quoted(text)} does not say which benchmark", _EXAMPLES)
    words = {token.type: str(token) for token in tokens_of(parsed(text, "benchmark", _EXAMPLES))}
    source = text.strip()
    name = words["NAME"][1:-1].strip()
    if not name:
        raise UnreadableError(f"{quoted(source)}: the benchmark's name is empty", _EXAMPLES)
    metric = metric_of(words["WORD"], source, METRICS, _SYNONYMS)
    value, percent = _value(metric, words, source)
    return BenchGate(
        benchmark=name,
        metric=metric,
        comparator=comparator_of(words["COMPARATOR"], source),
        value=value,
        unit=UNITS[metric],
        percent=percent,
        baseline="BASELINE" in words,
        source=source,
    )


def _value(metric: BenchMetric, words: dict[str, str], source: str) -> tuple[float, bool]:
    """The limit in the metric's own unit, or what the baseline is changed by; and whether that is per cent of it."""
    if "NUMBER" not in words:  # a bare ``baseline``
        return 0.0, True
    number, written = words["NUMBER"], words.get("UNIT", "").replace(" ", "")
    if number[0] in "+-":
        raise UnreadableError(f"{quoted(source)}: a limit has no sign", f'write "{number[1:]}{written}"')
    sign = -1.0 if words.get("SIGN") == "-" else 1.0
    if "BASELINE" in words and written == "%":
        return sign * number_of(number, source), True
    scales = _SCALES[UNITS[metric]]
    if written not in scales:
        what = f"{quoted(written)} is not a unit of {metric}" if written else "a unit is missing"
        also = ", or in % of the baseline: baseline + 5%" if "BASELINE" in words else ""
        known = f" (known: {listed(scales)})" if len(scales) > 1 else ""
        raise UnreadableError(f"{quoted(source)}: {what}", f"{metric} is {_WRITTEN[UNITS[metric]]}{also}{known}")
    # Rounded, so that 1.1 ms is 0.0011 s and not 0.0011000000000000001.
    return float(f"{sign * number_of(number, source) * scales[written]:.12g}"), False

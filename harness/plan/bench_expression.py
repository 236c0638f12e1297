"""Parses requirements on benchmarks: ``bench("test_serialize_cart").mean <= baseline + 5%``."""

from __future__ import annotations

from harness.metrics import BENCH_METRICS
from harness.plan.bench import BenchGate
from harness.plan.expression import parsed, terms, tokens_of
from harness.plan.problems import InvalidValue

_EXAMPLES = ('bench("test_search").mean <= baseline + 5%', 'bench("test_*").p95 < 2ms')


def parse_bench_gate(text: object) -> BenchGate:
    """One requirement on benchmarks. Raises ``InvalidValue``."""
    if not isinstance(text, str) or not text.strip():
        raise InvalidValue("requirement-invalid", text=text, examples=_EXAMPLES)
    if not text.lstrip().lower().startswith("bench"):
        raise InvalidValue("requirement-without-benchmark", text=text, examples=_EXAMPLES)
    tokens, source = tokens_of(parsed(text, "benchmark", _EXAMPLES)), text.strip()
    name = next(token for token in tokens if token.type == "NAME")[1:-1].strip()
    if not name:
        raise InvalidValue("benchmark-name-empty", text=source, examples=_EXAMPLES)
    fields, percent = terms(tokens, source, BENCH_METRICS)
    return BenchGate.model_validate(fields | {"benchmark": name, "percent": percent})

"""The reference page of the metrics, as Markdown. ``scripts/reference --write`` renews ``docs/metrics.md`` from it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from harness.metrics import BENCH_METRICS, RUN_METRICS
from harness.metrics.metric import Metric

_PAGE = """\
# Metrics

Which words a gate may use. This page is generated from `harness/metrics` by `scripts/reference --write`.

## Runs

A gate on a run reads one of these in a phase, of all endpoints together or of one. `until` of a stress phase reads the
same metrics of one step. Response time counts from the moment a request should have been sent.

{runs}

## Benchmarks

A gate on a benchmark reads one of these: `bench("test_search").mean < 2ms`. Times are those of one call.

{benchmarks}
"""


def page() -> str:
    """The whole page."""
    return _PAGE.format(runs="\n".join(_table(RUN_METRICS)), benchmarks="\n".join(_table(BENCH_METRICS)))


def _table(metrics: Mapping[str, Metric[Any]]) -> Iterable[str]:
    yield "| metric | what it is | better | a limit is written |"
    yield "|---|---|---|---|"
    for metric in metrics.values():
        needs = ", with `harness bench --memory`" if metric.needs == "memory" else ""
        yield f"| `{metric.name}` | {metric.help}{needs} | {metric.better} | {metric.unit.wording} |"

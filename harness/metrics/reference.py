"""The reference page of the metrics, as Markdown. ``scripts/reference --write`` renews ``docs/metrics.md`` from it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from harness.metrics import BENCH_METRICS, REQUEST_METRICS, STEP_METRICS, TARGET_METRICS, TRACE_METRICS
from harness.metrics.metric import Metric

_PAGE = """\
# Metrics

A gate can check these metrics. `scripts/reference --write` generates this page from `harness/metrics`.

## Runs

A gate on a run checks one of these metrics in a phase, for all endpoints together or for one. The `until` of a stress
phase checks the same metrics for each step. Response time counts from when a request should have been sent.

{requests}

These metrics are about the target's processes. They hold for a whole phase, not for an endpoint or a step, and need to
know the target's process: the harness started it, or you gave its `--pid`.

{target}

These metrics are about what a request does inside the target, for all endpoints together or for one. They need
[traces](traces.md).

{traces}

These metrics are about the steps of a stress or search phase. A gate that names no phase reads each of these phases.

{steps}

## Benchmarks

A gate on a benchmark checks one of these metrics, as in `bench("test_search").mean < 2ms`. Times are those of one call.

{benchmarks}
"""


def page() -> str:
    """The whole page."""
    return _PAGE.format(
        requests="\n".join(_table(REQUEST_METRICS)),
        target="\n".join(_table(TARGET_METRICS)),
        traces="\n".join(_table(TRACE_METRICS)),
        steps="\n".join(_table(STEP_METRICS)),
        benchmarks="\n".join(_table(BENCH_METRICS)),
    )


def _table(metrics: Mapping[str, Metric[Any]]) -> Iterable[str]:
    yield "| metric | what it is | better | a limit is written |"
    yield "|---|---|---|---|"
    for metric in metrics.values():
        needs = ", with `harness bench --memory`" if metric.needs == "memory" else ""
        yield f"| `{metric.name}` | {metric.help}{needs} | {metric.better} | {metric.unit.wording} |"

"""The reference page of metrics. ``scripts/reference --write`` writes docs/metrics.md from it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from harness.metrics import (
    BENCH_METRICS,
    CONTRACT_METRICS,
    FAULT_METRICS,
    REQUEST_METRICS,
    STEP_METRICS,
    TARGET_METRICS,
    TRACE_METRICS,
)
from harness.metrics.metric import Metric

_PAGE = """\
# Metrics

A gate can check these metrics. `scripts/reference --write` generates this page from `harness/metrics`.

## Runs

A gate on a run checks one of these metrics in a phase, for all endpoints together or for one. The `until` of a stress
phase checks the same metrics for each step. Response time counts from when a request should have been sent.

{requests}

These metrics are about the target's processes. They cover a whole phase, not an endpoint or a step. The harness must
know the target's process: it started the target, or you gave its `--pid`.

{target}

These metrics are about what a request does inside the target, for all endpoints together or for one. They need
[traces](traces.md).

{traces}

This metric is about responses that are checked against an OpenAPI document, for all endpoints together or for one. It
needs a [contract](contracts.md).

{contract}

These metrics are about the steps of a stress or search phase. A gate that names no phase applies to all of these.

{steps}

This metric is about a [fault](faults.md). Its gate names the fault, as in `recovery_time < 10s after "db slow"`.

{faults}

## Benchmarks

A gate on a benchmark checks one of these metrics, as in `bench("test_search").mean < 2ms`. Times are per call.

{benchmarks}
"""


def page() -> str:
    """The whole page."""
    return _PAGE.format(
        requests="\n".join(_table(REQUEST_METRICS)),
        target="\n".join(_table(TARGET_METRICS)),
        traces="\n".join(_table(TRACE_METRICS)),
        contract="\n".join(_table(CONTRACT_METRICS)),
        steps="\n".join(_table(STEP_METRICS)),
        faults="\n".join(_table(FAULT_METRICS)),
        benchmarks="\n".join(_table(BENCH_METRICS)),
    )


def _table(metrics: Mapping[str, Metric[Any]]) -> Iterable[str]:
    yield "| metric | meaning | better | unit of a limit |"
    yield "|---|---|---|---|"
    for metric in metrics.values():
        needs = ", with `harness bench --memory`" if metric.needs == "memory" else ""
        yield f"| `{metric.name}` | {metric.help}{needs} | {metric.better} | {metric.unit.wording} |"

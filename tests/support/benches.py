"""Folders of benches as ``harness bench`` leaves them, with rounds that a test gives."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from harness.plan.bench import BenchPlan, name_of
from harness.plan.expression import parse_bench_gate
from harness.record.measurement import Baseline
from harness.record.run_folder import RunFolder, write_json, write_text
from harness.record.suite import MemoryFigures, SuiteEnd, SuiteReport, write_memory
from harness.recording.streams.rounds import write_rounds

FINGERPRINT = "0123456789ab"


def bench_folder(
    parent: Path,
    rounds: Mapping[str, Sequence[float]],
    *,
    gates: Sequence[str] = (),
    report: SuiteReport | None = None,
    end: SuiteEnd | None = None,
    memory: Mapping[str, MemoryFigures] | None = None,
    baseline: Baseline | None = None,
    name: str = "20260102T030405Z-shop-bench-0a1b",
) -> RunFolder:
    """A folder that was measured and not judged; ``report`` by default says that all of ``rounds`` ran well."""
    folder = RunFolder.create(parent, name)
    plan = BenchPlan(
        suite="shop",
        folder=str(parent),
        arguments=("micro",),
        gates=tuple(map(parse_bench_gate, gates)),
        memory=memory is not None,
    )
    write_text(folder.plan, plan.model_dump_json())
    reported = report or SuiteReport(finished=True, benchmarks=list(rounds))
    write_text(folder.suite, reported.model_dump_json())
    ended = end or SuiteEnd(started_at="2026-01-02T03:04:05Z", duration_s=12.0, exit_status=0)
    write_json(folder.suite_end, ended.model_dump())
    entries = [
        {"name": name_of(test), "fullname": test, "group": None, "stats": {"iterations": 1, "ops": float("inf")}}
        for test in rounds
    ]
    folder.benchmarks.write_text(json.dumps({"benchmarks": entries}))
    write_rounds(folder.rounds, rounds)
    if memory is not None:
        write_memory(folder.benchmark_memory, dict(memory))
    if baseline is not None:
        write_json(folder.comparison, baseline.model_dump(by_alias=True))
    return folder

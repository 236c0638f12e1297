"""A gate on a fault that compares with the baseline does so with the seconds under the same fault there."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from harness.analysis.measurement import measure
from harness.plan.model.fault import PlannedFault
from harness.plan.model.phase import Phase
from harness.plan.model.run import RunPlan
from harness.record.gate_result import GateResult
from harness.record.measurement import Measurement
from harness.record.run_folder import RunFolder, read_model, write_json
from harness.record.summary import Summary
from harness.recording import open_recording
from tests.support.broken_runs import Broken, slow_between, write_faults
from tests.support.judged import baseline_of, judge
from tests.support.plans import gate, steady
from tests.support.recordings import record_run

PHASES = [steady(rate=300, seconds=40)]
GATE = "p95 <= baseline + 20% during 'db slow'"
SLOW = Broken("db slow", 10.0, 20.0)


def recorded(
    parent: Path,
    seed: int = 9,
    *,
    slow_ms: float = 800.0,
    usual_ms: float = 20.0,
    fault: Broken | None = SLOW,
    latency: str = "0.8s",
    phases: list[Phase] = PHASES,
    endpoint: str | None = None,
) -> RunFolder:
    """A run whose requests take ``slow_ms`` while its fault is active."""
    spans = [] if fault is None else [(fault.begin_s, fault.end_s or 40.0)]
    folder = record_run(
        parent,
        phases=phases,
        gates=[gate(GATE, "steady", endpoint)],
        lead_in_s=0.0,
        latency=slow_between(*spans, slow_ms=slow_ms, usual_ms=usual_ms),
        seed=seed,
    )
    if fault is None:
        return folder
    settings = {"between": f"db{seed}", "latency": latency}
    planned = PlannedFault(name=fault.name, kind="network", phase="steady", at_s=10, for_s=10, settings=settings)
    plan = read_model(folder.plan, RunPlan).model_copy(update={"faults": (planned,)})
    write_json(folder.plan, plan.model_dump(mode="json", by_alias=True))
    return write_faults(folder, fault)


def judged(folder: RunFolder, *earlier: Measurement) -> tuple[GateResult, Summary]:
    baseline_of(*earlier, into=folder)
    summary = judge(folder)
    (result,) = summary.gates
    return result, summary


@cache
def before(**more: object) -> list[Measurement]:
    """The runs of the baseline: the same requests have the same figures in every test."""
    with TemporaryDirectory() as parent:
        folders = [recorded(Path(parent) / str(seed), seed, **more) for seed in range(5)]  # type: ignore[arg-type]
        return [measure(open_recording(folder)) for folder in folders]


@pytest.mark.parametrize("endpoint", [None, "POST /checkout"])
@pytest.mark.parametrize(("slow_ms", "status"), [(820.0, "pass"), (1300.0, "fail")])
def test_seconds_under_a_fault_are_compared_with_those_of_the_baseline(
    tmp_path: Path, slow_ms: float, status: str, endpoint: str | None
) -> None:
    """Whatever the other seconds were like, which are five times as slow."""
    folder = recorded(tmp_path, slow_ms=slow_ms, usual_ms=100.0, endpoint=endpoint)
    result, summary = judged(folder, *before())
    assert (result.status, result.fault) == (status, "db slow")
    assert result.baseline == pytest.approx(800, rel=0.02)
    causes = [cause.kind for explanation in summary.explanations for cause in explanation.causes]
    assert "fault" not in causes  # both were under it


def test_a_fault_may_last_the_whole_phase(tmp_path: Path) -> None:
    whole = Broken("db slow", 0.0, 40.0)
    result, _ = judged(recorded(tmp_path, fault=whole), *before(fault=whole))
    assert (result.status, result.code) == ("pass", "gate-within-limit")


def test_a_baseline_without_the_fault_is_not_compared_with(tmp_path: Path) -> None:
    result, _ = judged(recorded(tmp_path), *before(fault=None))
    assert (result.status, result.code) == ("inconclusive", "baseline-without-fault")
    assert (result.params["fault"], result.params["phase"]) == ("db slow", "steady")


@pytest.mark.slow
def test_a_weaker_fault_of_that_name_is_not_compared_with(tmp_path: Path) -> None:
    result, _ = judged(recorded(tmp_path), *before(latency="0.2s"))
    assert (result.status, result.code) == ("inconclusive", "baseline-other-load")
    assert "latency=0.2s" in result.params["baseline"]


def test_a_run_without_a_baseline_says_how_to_set_one(tmp_path: Path) -> None:
    (result,) = judge(recorded(tmp_path)).gates
    assert (result.status, result.code) == ("inconclusive", "baseline-missing")

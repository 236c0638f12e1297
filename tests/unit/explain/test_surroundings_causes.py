"""A full pool in the surroundings is a likely cause of slow requests."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.analysis.measurement import measure
from harness.explain import explained
from harness.gates.judge import judge
from harness.record.measurement import Baseline
from harness.record.run_folder import write_json
from tests.support.latencies import lognormal
from tests.support.plans import gate
from tests.unit.analysis.test_surroundings import pool, recorded


def test_a_full_pool_is_a_likely_cause(tmp_path: Path) -> None:
    run = recorded(tmp_path, pool(lambda _: 5.0))
    (found, *_) = explained(run, judge(run, gates=[gate("p95 < 1ms", phase="steady")])).explanations
    cause = next(cause for cause in found.causes if cause.kind == "surroundings")
    assert (cause.what.code, cause.sure, cause.part) == ("surroundings-pool-full", False, None)


def test_a_pool_with_room_is_not_a_cause(tmp_path: Path) -> None:
    run = recorded(tmp_path, pool(lambda _: 2.0))
    (found, *_) = explained(run, judge(run, gates=[gate("p95 < 1ms", phase="steady")])).explanations
    assert not [cause for cause in found.causes if cause.kind == "surroundings"]


@pytest.mark.parametrize(("before", "is_cause"), [(5.0, False), (2.0, True)])
def test_a_pool_that_was_as_full_in_the_baseline_explains_no_rise(
    tmp_path: Path, before: float, is_cause: bool
) -> None:
    earlier = [
        measure(recorded(tmp_path, pool(lambda _: before), f"before-{seed}", latency=lognormal(20), seed=seed))
        for seed in range(3)
    ]
    run = recorded(tmp_path, pool(lambda _: 5.0), latency=lognormal(60))
    assert run.environment is not None
    fingerprint = run.environment.fingerprint
    kept = Baseline(scenario="flash_sale", profile="default", fingerprint=fingerprint, runs=earlier)
    write_json(run.folder.comparison, kept.model_dump(by_alias=True))

    (found, *_) = explained(run, judge(run, gates=[gate("p95 < 1ms", phase="steady")])).explanations
    assert found.against == "baseline"
    assert [cause.kind == "surroundings" for cause in found.causes].count(True) == is_cause

"""A full pool in the surroundings is a likely cause of slow requests."""

from __future__ import annotations

from pathlib import Path

from harness.explain import explained
from harness.gates.judge import judge
from tests.support.plans import gate
from tests.unit.analysis.test_surroundings import pool, recorded


def test_a_full_pool_is_a_likely_cause(tmp_path: Path) -> None:
    run = recorded(tmp_path, pool(lambda _: 5.0))
    (found, *_) = explained(run, judge(run, gates=[gate("p95 < 1ms", phase="steady")])).explanations
    cause = next(cause for cause in found.causes if cause.kind == "surroundings")
    assert (cause.what.code, cause.sure, cause.part) == ("surroundings-pool-full", False, None)


def test_a_pool_with_room_is_none(tmp_path: Path) -> None:
    run = recorded(tmp_path, pool(lambda _: 2.0))
    (found, *_) = explained(run, judge(run, gates=[gate("p95 < 1ms", phase="steady")])).explanations
    assert not [cause for cause in found.causes if cause.kind == "surroundings"]

"""Requests that hang have no response time. Users who wait for them send less, which shows by how much time rose."""

from __future__ import annotations

from pathlib import Path

from tests.support.plans import steady
from tests.unit.analysis.test_waits import LOCKED, with_profile
from tests.unit.explain.test_explained import explanations, run_of


def test_what_users_wait_for_explains_why_they_send_less(tmp_path: Path) -> None:
    """A twentieth of the requests, 4.75 s more each: 20 ms of a function are nothing beside it, late waits are much."""
    phases = [steady(users=100, seconds=30)]
    before = [run_of(tmp_path, f"before-{seed}", seed=seed, phases=phases) for seed in range(3)]
    for folder in before:
        with_profile(folder, "waits", {LOCKED: [1, 0, 2, 1, 1, 0]})
    folder = run_of(tmp_path, "now", phases=phases, rank=1400, requests_per_user_s=0.2)
    with_profile(folder, "waits", {LOCKED: [0, 0, 0, 0, 1500, 1500]})
    (fall,) = (found for found in explanations(folder, before) if found.metric == "throughput")
    assert [(cause.kind, cause.sure) for cause in fall.causes] == [("lock", False)]

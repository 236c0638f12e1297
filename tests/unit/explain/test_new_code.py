"""Where an invariant broke, functions that the baseline did not have may be the cause."""

from __future__ import annotations

from pathlib import Path

from harness.record.profiles import Stack
from tests.support.recordings import Profiles
from tests.unit.analysis.test_waits import LOCKED, with_profile
from tests.unit.explain.test_explained import SERVE, USUAL, explanations, run_of

TAKE = (*SERVE, "checkout (shop/app.py:140)", "take (shop/checkout.py:20)")
WRITE = (*TAKE, "write_stock (shop/stock.py:85)", "write_stock.<locals>.<listcomp> (shop/stock.py:86)")


def test_the_innermost_new_function_is_named_and_no_thread_that_waits(tmp_path: Path) -> None:
    """Of threads that wait, the baseline has no stacks to compare with."""
    before = run_of(tmp_path, "before")
    stacks = [Stack(frames, weight) for frames, weight in {**USUAL, TAKE: 1, WRITE: 5}.items()]
    broken = {"status": "fail", "message": "units were sold twice"}
    folder = run_of(tmp_path, "now", profiles=Profiles(cpu={"steady": stacks}), verify=broken)
    for run in (before, folder):
        with_profile(run, "waits", {LOCKED: [40, 40, 40, 40, 40, 40]})
    (found,) = (found for found in explanations(folder, [before]) if found.metric == "verify")
    assert [(cause.kind, cause.place and str(cause.place)) for cause in found.causes] == [
        ("new-code", "write_stock (shop/stock.py:85)")
    ]

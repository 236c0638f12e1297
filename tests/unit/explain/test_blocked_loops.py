"""Code that blocks an event loop is a cause, though few requests wait there: the others wait for the loop."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.analysis.test_waits import SERVED, with_profile
from tests.unit.explain.test_explained import explanations, run_of

LOOP = ("Runner.run (asyncio/runners.py:118)", "run_endpoint_function (fastapi/routing.py:381)")
SLEEPS = ("get_stock (shop/db.py:31)", "[sleep]")


@pytest.mark.parametrize(
    ("outer", "count", "kinds"), [(LOOP, 23, ["saturated"]), (LOOP, 10, []), ((*SERVED, *LOOP), 23, [])]
)
def test_an_event_loop_that_is_blocked_most_of_the_time_is_a_cause(
    tmp_path: Path, outer: tuple[str, ...], count: int, kinds: list[str]
) -> None:
    """In a thread, it is a loop for one request."""
    folder = run_of(tmp_path, "now", ms=200, gates=["p95 < 5ms"])
    with_profile(folder, "waits", {(*outer, *SLEEPS): [count] * 6})
    (found,) = explanations(folder)
    causes = [cause for cause in found.causes if cause.kind == "saturated"]
    assert [cause.kind for cause in causes] == kinds
    assert all(cause.place and cause.place.function == "get_stock" for cause in causes)

"""A clock that is set during a run changes no time of it, and is noticed."""

from __future__ import annotations

import time

import pytest

from harness import steady_clock
from harness.control.clock import clock_notices


@pytest.mark.parametrize("by_s", [3600.0, -3600.0])
def test_a_clock_that_is_set_is_not_followed_but_noticed(by_s: float, monkeypatch: pytest.MonkeyPatch) -> None:
    steady_clock.follow_machine()
    assert clock_notices() == []
    before_s, machine_s = steady_clock.now_s(), time.time
    monkeypatch.setattr(time, "time", lambda: machine_s() + by_s)
    assert 0 <= steady_clock.now_s() - before_s < 60
    (notice,) = clock_notices()
    assert notice.code == "clock-set"
    assert notice.params["by_s"] == pytest.approx(by_s, abs=1)


def test_a_run_begins_with_the_machines_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    machine_s = time.time
    with monkeypatch.context() as patched:
        patched.setattr(time, "time", lambda: machine_s() + 3600)
        steady_clock.follow_machine()
    steady_clock.follow_machine()
    assert steady_clock.set_by_s() == pytest.approx(0, abs=1)

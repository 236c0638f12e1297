"""Time passes for users only outside of pauses, and every moment belongs to one turn."""

from __future__ import annotations

import pytest

from harness.engine.pacing.pauses import Pauses


def pauses() -> Pauses:
    made = Pauses()
    made.add(1.0, 2.0)
    made.add(3.0, 5.0)
    return made


@pytest.mark.parametrize(
    ("now_s", "left_s"), [(0.5, 0.0), (1.0, 1.0), (1.75, 0.25), (2.0, 0.0), (4.0, 1.0), (6.0, 0.0)]
)
def test_what_is_left_of_a_pause(now_s: float, left_s: float) -> None:
    assert pauses().left(now_s) == pytest.approx(left_s)


@pytest.mark.parametrize(
    ("now_s", "seconds", "after_s"),
    [
        (0.0, 0.5, 0.5),  # over before the first pause
        (0.5, 1.0, 2.0),  # across it
        (1.5, 0.5, 1.0),  # from within it
        (0.5, 2.0, 5.0),  # across both
        (6.0, 3.0, 3.0),  # after all
    ],
)
def test_think_time_is_paused_in_pauses(now_s: float, seconds: float, after_s: float) -> None:
    assert pauses().after(now_s, seconds) == pytest.approx(after_s)


def test_pauses_that_are_over_are_forgotten() -> None:
    made = pauses()
    assert made.left(2.5) == 0.0
    assert made.left(3.5) == 1.5
    assert made.left(5.0) == 0.0
    assert not made

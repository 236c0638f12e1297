"""Memory that grows throughout gets a warning that names the function; warm-up and noise do not."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from harness.analysis import leaks
from harness.analysis.leaks import LeftBehind, MemoryGrowth, leak_warnings
from harness.messages import Message
from harness.plan.model import Phase
from harness.record.profiles import Stack
from harness.recording.run import read_run
from tests.support.plans import diagnose, ramp, steady
from tests.support.recordings import Profiles, record_run

MIB = float(1 << 20)
LEAKED = [
    Stack(("main (app.py:1)", "remember (harness/shop/defective.py:61)", "append (json/encoder.py:9)"), 40 << 20),
    Stack(("main (app.py:1)", "load (sqlalchemy/orm.py:5)"), 3 << 20),
]


def warnings(
    tmp_path: Path, rss: Callable[[float], float], phases: list[Phase] | None = None, leaked: list[Stack] | None = None
) -> list[Message]:
    folder = record_run(
        tmp_path,
        phases=phases or [ramp(seconds=5), steady(seconds=30), diagnose()],
        target_rss=rss,
        profiles=Profiles(leaked=leaked or []),
    )
    return leak_warnings(read_run(folder))


def test_steady_growth_is_reported_with_its_rate_and_its_function(tmp_path: Path) -> None:
    (warning,) = warnings(tmp_path, lambda second: 100 * MIB + 1.8 * MIB * second, leaked=LEAKED)
    growth = warning.params["growth"]
    assert isinstance(growth, MemoryGrowth)
    assert (growth.slope, growth.low, growth.high) == pytest.approx((1.8 * MIB,) * 3)
    assert growth.gained == pytest.approx(52 * MIB, rel=0.01)
    assert str(growth).startswith("1.8 MiB/s [1.8…1.8] (52 MiB in 30 s, ")
    assert warning.params["phase"] == "steady"
    assert warning.params["left"] == LeftBehind("remember (harness/shop/defective.py)", 40 << 20)


def test_growth_through_collections_and_noise_is_still_seen(tmp_path: Path) -> None:
    noise = np.random.default_rng(1).normal(0, 1.5 * MIB, 100)
    (warning,) = warnings(tmp_path, lambda second: 100 * MIB + MIB * second + float(noise[int(second)]))
    assert warning.code == "target-memory-grew"
    assert warning.params["left"] == LeftBehind(None, 0)
    assert "left behind" not in str(warning)


def test_a_long_phase_is_judged_by_some_of_its_readings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(leaks, "_MOST_READINGS", 12)
    (warning,) = warnings(tmp_path, lambda second: 100 * MIB + 1.8 * MIB * second)
    growth = warning.params["growth"]
    assert isinstance(growth, MemoryGrowth)
    assert growth.slope == pytest.approx(1.8 * MIB)


@pytest.mark.parametrize(
    "rss",
    [
        lambda second: 100 * MIB + 0 * second,
        lambda second: 100 * MIB + 40 * MIB * (1 - np.exp(-second / 6)),  # a cache that fills
        lambda second: 100 * MIB + (30 * MIB if second > 20 else 0),  # one step
        lambda second: 100 * MIB + 0.05 * MIB * second,  # too little to be sure of
        lambda second: 200 * MIB - MIB * second,
        lambda second: 100 * MIB + 8 * MIB * (second % 5),  # collections
    ],
)
def test_warm_up_and_noise_are_no_leak(tmp_path: Path, rss: Callable[[float], float]) -> None:
    assert warnings(tmp_path, rss) == []


def test_too_short_a_phase_says_nothing(tmp_path: Path) -> None:
    assert warnings(tmp_path, lambda second: 100 * MIB + 10 * MIB * second, phases=[steady(seconds=6)]) == []


def test_only_steady_phases_are_checked(tmp_path: Path) -> None:
    assert warnings(tmp_path, lambda second: 100 * MIB + 10 * MIB * second, phases=[ramp(seconds=30)]) == []


def test_without_requests_no_growth_a_request_is_reported(tmp_path: Path) -> None:
    folder = record_run(
        tmp_path, phases=[steady(seconds=30)], requests_per_user_s=0, target_rss=lambda second: 1e8 + 2e6 * second
    )
    (warning,) = leak_warnings(read_run(folder))
    assert "a request" not in str(warning)

"""Memory that grows throughout is a finding that names processes and function; warm-up and noise are none."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pytest

from harness.analysis import leaks
from harness.analysis.leaks import leaks_of
from harness.plan.model.phase import Phase
from harness.record.findings import Leak
from harness.record.profiles import Stack, process_frame
from harness.record.resources import process_source
from harness.recording.run import read_run
from tests.support.plans import diagnose, ramp, steady
from tests.support.recordings import Profiles, record_run

MIB = float(1 << 20)
LEAKED = [
    Stack(("main (app.py:1)", "remember (harness/shop/defective.py:61)", "append (json/encoder.py:9)"), 30 << 20),
    Stack(("main (app.py:1)", "remember (harness/shop/defective.py:64)"), 10 << 20),
    Stack(("main (app.py:1)", "load (sqlalchemy/orm.py:5)"), 10 << 20),
]


def found(
    tmp_path: Path,
    rss: Callable[[float], float],
    phases: list[Phase] | None = None,
    leaked: list[Stack] | None = None,
    by_process: Mapping[int, Callable[[float], float]] | None = None,
) -> list[Leak]:
    folder = record_run(
        tmp_path,
        phases=phases or [ramp(seconds=5), steady(seconds=30), diagnose()],
        target_rss=rss,
        sampled=lambda second: {
            process_source(pid): {"rss_bytes": held} for pid, of in (by_process or {}).items() if (held := of(second))
        },
        profiles=Profiles(leaked=leaked or []),
    )
    return leaks_of(read_run(folder))


def steadily(second: float) -> float:
    return 100 * MIB + 1.8 * MIB * second


def not_at_all(second: float) -> float:
    return 100 * MIB + 0 * second


def test_steady_growth_is_found_with_its_rate_and_its_function(tmp_path: Path) -> None:
    (leak,) = found(tmp_path, steadily, leaked=LEAKED)
    assert (leak.slope, leak.low, leak.high) == pytest.approx((60 * 1.8 * MIB,) * 3)
    assert leak.gained_bytes == pytest.approx(52 * MIB, rel=0.01)
    assert (leak.phase, leak.pids, leak.processes) == ("steady", [], 0)
    assert (leak.function, leak.file, leak.line) == ("remember", "harness/shop/defective.py", 61)
    assert (leak.kept_bytes, leak.kept_share) == (40 << 20, 0.8)
    assert (leak.notice.code, leak.notice.params["phase"]) == ("target-memory-grew", "steady")


def test_the_one_process_that_grows_is_named_and_so_is_what_it_kept(tmp_path: Path) -> None:
    """The others allocate more than it does, and their sizes go up and down by more than it grows."""
    elsewhere = [Stack((process_frame(11), *stack.frames), stack.weight) for stack in LEAKED] + [
        Stack((process_frame(12), "main (app.py:1)", "buffer (app.py:9)"), 200 << 20)
    ]
    noise = np.random.default_rng(1).normal(0, 60 * MIB, 100)
    (leak,) = found(
        tmp_path,
        not_at_all,
        leaked=elsewhere,
        by_process={10: not_at_all, 11: steadily, 12: lambda second: 500 * MIB + float(noise[int(second)])},
    )
    assert (leak.pids, leak.processes, leak.notice.code) == ([11], 3, "process-memory-grew")
    assert leak.slope == pytest.approx(60 * 1.8 * MIB)
    assert (leak.function, leak.kept_share) == ("remember", 0.8)


def test_several_processes_that_grow_are_one_finding(tmp_path: Path) -> None:
    (leak,) = found(tmp_path, not_at_all, by_process={10: not_at_all, 11: steadily, 12: steadily})
    assert (leak.pids, leak.processes, leak.notice.code) == ([11, 12], 3, "processes-memory-grew")
    assert leak.slope == pytest.approx(2 * 60 * 1.8 * MIB)
    assert leak.function is None


def test_growth_spread_too_thinly_to_name_a_process_is_still_found(tmp_path: Path) -> None:
    each = {pid: lambda second: 100 * MIB + 0.05 * MIB * second for pid in range(10, 20)}
    (leak,) = found(tmp_path, not_at_all, by_process=each, phases=[steady(seconds=60)])
    assert (leak.pids, leak.processes, leak.notice.code) == ([], 10, "target-memory-grew")
    assert leak.slope == pytest.approx(10 * 60 * 0.05 * MIB)


def test_a_process_that_starts_during_the_phase_warms_up(tmp_path: Path) -> None:
    assert not found(
        tmp_path,
        steadily,
        by_process={10: not_at_all, 11: lambda second: steadily(second) if second > 20 else 0.0},
    )


def test_growth_through_collections_and_noise_is_still_seen(tmp_path: Path) -> None:
    noise = np.random.default_rng(1).normal(0, 1.5 * MIB, 100)
    (leak,) = found(tmp_path, lambda second: 100 * MIB + MIB * second + float(noise[int(second)]))
    assert leak.low < 60 * MIB < leak.high
    assert leak.function is None


def test_a_long_phase_is_judged_by_some_of_its_readings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(leaks, "_MOST_READINGS", 12)
    (leak,) = found(tmp_path, steadily)
    assert leak.slope == pytest.approx(60 * 1.8 * MIB)


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
def test_warm_up_and_noise_are_not_leaks(tmp_path: Path, rss: Callable[[float], float]) -> None:
    assert found(tmp_path, rss) == []


def test_too_short_a_phase_shows_nothing(tmp_path: Path) -> None:
    assert found(tmp_path, lambda second: 100 * MIB + 10 * MIB * second, phases=[steady(seconds=6)]) == []


def test_only_steady_phases_are_checked(tmp_path: Path) -> None:
    assert found(tmp_path, lambda second: 100 * MIB + 10 * MIB * second, phases=[ramp(seconds=30)]) == []

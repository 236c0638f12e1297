"""A machine that is slower for a night is no slower build: gates compare CPU time at equal machine speed."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from harness.analysis.measurement import measure
from harness.record.environment import Environment
from harness.record.gate_result import GateResult
from harness.record.measurement import Baseline, Measurement
from harness.record.resources import REFERENCE_WORK
from harness.record.run_folder import RunFolder, read_json, write_json
from harness.recording import open_recording
from tests.support.judged import judge
from tests.support.plans import steady
from tests.support.recordings import record_run

GATE = "cpu_per_request <= baseline + 10%"
SPEEDS = (1.0, 0.92, 1.1, 0.97, 1.05)


def made(
    parent: Path,
    slower: float,
    *,
    cost: float = 1.0,
    knows: bool = True,
    taken: bool = False,
    slope: float = 1.0,
    seconds: int = 30,
) -> RunFolder:
    """100 requests a second of ``5 ms · cost`` on a machine that takes ``slower`` times as long for anything.

    ``knows``: whether its speed was sampled; ``taken``: whether others take the cores all the time. ``slope``: the
    target slows down by that power of what the machine does.
    """

    def sampled(at_s: float) -> dict[str, dict[str, float]]:
        wobble = slower * (1 + 0.05 * (at_s % 3 - 1))
        readings = {"target": {"cpu_percent": 50 * cost * wobble * slower ** (slope - 1)}}
        if knows:
            readings[REFERENCE_WORK] = {"one_us": 100 * wobble, "other_us": 400 * wobble}
        if taken:
            readings["target"]["waiting_percent"] = 60.0
            readings["machine"] = {"others_percent": 180.0, "cores": 2.0}
        return readings

    endpoints = {"GET /products": 1.0}
    return record_run(
        parent, phases=[steady(rate=100, seconds=seconds)], endpoints=endpoints, gates=[GATE], sampled=sampled
    )


def beside(folder: RunFolder, runs: list[Measurement]) -> GateResult:
    """The gate's result beside a baseline of these runs."""
    found = Environment.model_validate(read_json(folder.environment)).fingerprint
    kept = Baseline(scenario="flash_sale", profile="default", fingerprint=found, runs=runs)
    write_json(folder.comparison, kept.model_dump(by_alias=True))
    summary = judge(folder)
    changes = [change for change in summary.changes if change.metric == "cpu_per_request"]
    (result,) = summary.gates
    assert [change.machine_slower for change in changes] == [result.machine_slower]
    return result


@cache
def measured(slower: float, *, knows: bool = True, slope: float = 1.0) -> Measurement:
    """A run of the baseline: the same requests have the same figures in every test."""
    with TemporaryDirectory() as folder:
        return measure(open_recording(made(Path(folder), slower, knows=knows, slope=slope)))


def before(*, knows: bool = True) -> list[Measurement]:
    return [measured(slower, knows=knows) for slower in SPEEDS]


@pytest.mark.parametrize(("slower", "cost", "status"), [(1.3, 1.0, "pass"), (0.8, 1.3, "fail"), (1.3, 1.3, "fail")])
def test_only_a_slower_build_fails(tmp_path: Path, slower: float, cost: float, status: str) -> None:
    result = beside(made(tmp_path, slower, cost=cost), before())
    assert result.status == status
    assert result.observed == pytest.approx(5 * slower * cost, rel=0.02)
    assert result.baseline == pytest.approx(5 * slower, rel=0.02)
    assert result.machine_slower == pytest.approx(slower - 1, abs=0.02)


@pytest.mark.parametrize(("slower", "cost", "status"), [(1.2, 1.0, "pass"), (0.85, 1.0, "pass"), (0.85, 1.3, "fail")])
def test_how_much_a_target_slows_down_with_the_machine_is_learnt(
    tmp_path: Path, slower: float, cost: float, status: str
) -> None:
    speeds = (*SPEEDS, 0.88, 1.15, 1.02)
    runs = [measured(speed, slope=1.6) for speed in speeds]
    result = beside(made(tmp_path, slower, cost=cost, slope=1.6), runs)
    assert result.status == status
    assert result.baseline == pytest.approx(5 * slower**1.6, rel=0.03)


def test_speeds_that_are_not_known_are_not_mixed_in(tmp_path: Path) -> None:
    """As measured, a faster machine hides the change."""
    known, unknown = before(), before(knows=False)
    of_old = beside(made(tmp_path / "a", 0.8, cost=1.3, knows=False), known)
    assert of_old.machine_slower is None
    assert of_old.status != "fail"
    of_two = beside(made(tmp_path / "b", 0.8, cost=1.3), [*known[:2], *unknown])
    assert of_two.machine_slower is None
    assert of_two.status != "fail"
    of_three = beside(made(tmp_path / "c", 0.8, cost=1.3), [*known[:3], *unknown])
    assert of_three.machine_slower is not None
    assert of_three.status == "fail"


def test_cpu_time_at_equal_speed_is_judged_while_others_take_the_cores(tmp_path: Path) -> None:
    known = before()
    for cost, knows, status in ((1.0, True, "pass"), (1.3, True, "fail"), (1.3, False, "inconclusive")):
        folder = made(tmp_path / f"{cost}{knows}", 1.1, cost=cost, knows=knows, taken=True)
        assert beside(folder, known).status == status


def test_what_a_phase_is_too_short_to_show_takes_a_longer_one(tmp_path: Path) -> None:
    result = beside(made(tmp_path, 1.0, seconds=3), before())
    assert (result.status, result.code) == ("inconclusive", "gate-unbounded")

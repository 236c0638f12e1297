"""Figures at equal machine speed: what a slower machine did to them is taken out, and nothing else."""

from __future__ import annotations

import math

import numpy as np
import pytest

from harness.analysis.comparison import compared
from harness.analysis.equal_speed import at_equal_speed
from harness.analysis.history import series_of
from harness.analysis.noise_floor import noise_floors
from harness.metrics.target_usage import TargetUsage
from harness.plan.margins import parse_margins
from harness.record.calibration import Calibration
from harness.record.comparison import Comparison, MeasuredRun
from harness.record.history import History, HistoryRun, Series
from harness.record.measurement import (
    ALL,
    EndpointMeasurement,
    Interval,
    MachineSpeed,
    Measurement,
    PhaseMeasurement,
)
from harness.report.exporters.markdown import history_markdown

CPU = "cpu_per_request"


def figure(value: float) -> Interval:
    return Interval(value=value, low=0.99 * value, high=1.01 * value)


def measured(number: int, slower: float, cost: float = 1.0, work: str | None = "w") -> Measurement:
    """Requests of ``5 ms · cost`` on a machine that takes ``slower`` times as long; ``work`` None: not known."""
    speed = MachineSpeed(work=work, time_ms=0.2 * slower, figures={CPU: figure(25 * cost)}) if work else None
    phase = PhaseMeasurement(
        name="steady",
        kind="steady",
        endpoints={ALL: EndpointMeasurement(requests=3000, seconds=60, figures={CPU: figure(5 * cost * slower)})},
        speed=speed,
    )
    started_at = f"2026-02-02T{number:02}:00:00Z"
    return Measurement(run_id=f"r{number}", started_at=started_at, scenario="s", profile="p", phases=[phase])


def phases(*runs: Measurement) -> list[PhaseMeasurement]:
    return [run.phases[0] for run in runs]


SPEEDS = (1.0, 1.2, 0.9, 1.1, 0.95, 1.3, 1.05, 0.85)
RUNS = [measured(number, slower) for number, slower in enumerate(SPEEDS)]


def test_figures_are_those_at_the_speed_of_the_observed_run() -> None:
    found = at_equal_speed(phases(measured(9, 1.5, cost=1.1)), phases(*RUNS[:3]), ALL, CPU)
    assert found is not None
    (observed,) = found.figures
    assert observed is not None
    assert observed.value == pytest.approx(5 * 1.1 * 1.5)
    assert [other and other.value for other in found.others] == pytest.approx([7.5] * 3)
    assert found.slower == pytest.approx(1.5 / math.prod(SPEEDS[:3]) ** (1 / 3) - 1)


def test_nights_of_another_build_do_not_hide_how_much_the_target_slows_down() -> None:
    """Three nights of a dearer build on a slow machine look like a target that slows down more than reference work."""
    dearer = [measured(10 + number, 1.4, cost=1.15) for number in range(3)]
    (own,), others = phases(measured(9, 0.8, cost=1.15)), phases(*dearer, *RUNS)
    apart, mixed = (at_equal_speed([own], others, ALL, CPU, doubtful=doubtful) for doubtful in (3, 0))
    assert apart is not None
    assert mixed is not None
    assert [other and other.value for other in apart.others] == pytest.approx([5 * 1.15 * 0.8] * 3 + [4.0] * 8)
    before = [other.value for other in mixed.others[3:] if other]
    assert max(before) > 1.05 * min(before)


def test_times_of_other_work_and_other_figures_are_compared_as_measured() -> None:
    (own,) = phases(measured(9, 1.5))
    others = phases(*(measured(number, 1.0, work="another") for number in range(5)))
    assert at_equal_speed([own], others, ALL, CPU) is None
    assert at_equal_speed([own], phases(*RUNS), "GET /item", CPU) is None
    assert at_equal_speed([own], phases(*RUNS), ALL, "p95") is None
    found = at_equal_speed([own], [*others, *phases(*RUNS[:3])], ALL, CPU)
    assert found is not None
    assert [other is None for other in found.others] == [True] * 5 + [False] * 3


def test_each_second_counts_at_its_own_speed() -> None:
    """A cost of 4 ms at any speed, in seconds that are slow where there are many requests."""
    requests, slow = np.array([100.0, 50.0, 80.0, 20.0]), np.array([1.0, 2.0, 1.5, np.nan])
    cpu_s = np.array([*(0.004 * requests[:3] * slow[:3]), 5.0])
    found = TargetUsage(cpu_s, requests, reference_ms=0.5 * slow).speed
    assert found is not None
    time_ms, usage = found
    assert 1000 * usage.cpu_s.sum() / usage.requests.sum() == pytest.approx(8)
    assert time_ms == pytest.approx(0.5 * (100 + 100 + 120) / 230)
    assert TargetUsage(cpu_s, requests, reference_ms=np.array([0.5, np.nan, np.nan, np.nan])).speed is None
    assert TargetUsage(cpu_s, requests).speed is None


def compare(a: list[Measurement], b: list[Measurement], elsewhere: str = "f") -> Comparison:
    of_a = [MeasuredRun(run, "pass", "f") for run in a]
    return compared(of_a, [MeasuredRun(run, "pass", elsewhere) for run in b], parse_margins(["5%"]))


def test_builds_are_compared_at_equal_speed() -> None:
    later = [measured(10 + number, 1.25) for number in range(3)]
    slower = [measured(10 + number, 0.8, cost=1.25) for number in range(3)]
    (same,), (worse,) = compare(RUNS, later).figures, compare(RUNS, slower).figures
    assert (same.outcome, worse.outcome) == ("not worse", "worse")
    assert same.machine_slower == pytest.approx(1.25 / math.prod(SPEEDS) ** (1 / 8) - 1)
    assert worse.change == pytest.approx(0.25, rel=0.01)
    (elsewhere,) = compare(RUNS, slower, "g").figures  # on another machine, the same work takes another time
    assert elsewhere.machine_slower is None
    assert elsewhere.outcome != "worse"


def series(runs: list[Measurement]) -> Series:
    told = [HistoryRun(run_id=run.run_id, started_at=run.started_at, verdict="pass") for run in runs]
    (found,) = series_of(list(zip(told, runs, strict=True)))
    return found


def test_a_history_steps_with_the_build_and_not_with_the_machine() -> None:
    old = [measured(number, 1.0, work=None) for number in range(4)]
    machine = series([*old, *RUNS[:4], *(measured(number, 2.0) for number in range(10, 14))])
    assert machine.at_equal_speed
    assert (len(machine.figures), machine.steps) == (8, [])
    build = series([*RUNS[:4], *(measured(number, 0.8, cost=1.25) for number in range(10, 14))])
    assert [step.change for step in build.steps] == pytest.approx([0.25])
    assert not series([*old, *RUNS[:5]]).at_equal_speed


def test_a_step_of_a_figure_as_measured_says_how_the_machine_changed() -> None:
    def run(number: int, slower: float) -> Measurement:
        run = measured(number, slower)
        run.phases[0].endpoints[ALL].figures["p95"] = figure(20 * slower + 0.1 * (number % 3))
        return run

    runs = [run(number, 1.0 if number < 4 else 0.8) for number in range(8)]
    told = [HistoryRun(run_id=run.run_id, started_at=run.started_at, verdict="pass") for run in runs]
    (found,) = series_of(list(zip(told, runs, strict=True)), metrics=["p95"])
    (step,) = found.steps
    assert (found.at_equal_speed, step.after.run_id, step.meaning) == (False, "r4", "better")
    assert step.machine_slower == pytest.approx(-0.2)
    history = History(scenario="s", profile="p", fingerprint="f", runs=told, series=[found])
    assert "20 % faster" in history_markdown(history)
    worse = found.model_copy(update={"steps": [step.model_copy(update={"machine_slower": 0.2})]})
    assert "20 % slower" not in history_markdown(history.model_copy(update={"series": [worse]}))


def test_the_noise_floor_is_that_at_equal_speed() -> None:
    (found,) = noise_floors(RUNS)
    (as_measured,) = noise_floors([*RUNS, measured(9, 1.0, work=None)])
    assert (found.at_equal_speed, as_measured.at_equal_speed) == (True, False)
    assert found.between < 0.001 < 0.1 < as_measured.between
    kept = Calibration(scenario="s", profile="p", fingerprint="f", run_ids=[], floors=[found])
    assert kept.between("steady", ALL, CPU, at_equal_speed=True) == found.between
    assert kept.between("steady", ALL, CPU, at_equal_speed=False) is None

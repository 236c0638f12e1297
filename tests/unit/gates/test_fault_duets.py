"""Faults in a duet: both builds are under them at once, and blocks of turns are left out or judged for both."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from harness.plan.model.target import ShopTarget
from harness.record.gate_result import GateResult
from harness.record.summary import Summary
from tests.support.broken_runs import Broken, write_faults
from tests.support.judged import judge
from tests.support.latencies import Floats, Latency
from tests.support.plans import gate, steady
from tests.support.recordings import Failing, record_run

SLOW = Broken("db slow", 10.0, 40.0)


def slow(a_ms: float, b_ms: float, *, a_until_s: float = 40.0, b_until_s: float = 40.0) -> Latency:
    """The builds take so long from second 10 on, until they have recovered, and 20 ms at other times."""

    def draw(rng: np.random.Generator, at_s: Floats, endpoint: str) -> Floats:
        slow_ms, until_s = (b_ms, b_until_s) if endpoint.startswith("B ") else (a_ms, a_until_s)
        median: Floats = np.where((at_s >= SLOW.begin_s) & (at_s < until_s), slow_ms, 20.0)
        return median * np.exp(0.1 * rng.standard_normal(len(at_s)))

    return draw


def judged(
    folder: Path,
    *gates: str,
    latency: Latency,
    fault: Broken | None = SLOW,
    failures: tuple[Failing, ...] = (),
) -> tuple[list[GateResult], Summary]:
    found = record_run(
        folder,
        phases=[steady(users=100, seconds=80)],
        gates=[gate(text, "steady") for text in gates],
        lead_in_s=0.0,
        latency=latency,
        failures=failures,
        build_b=ShopTarget(),
    )
    if fault is not None:
        write_faults(found, fault)
    summary = judge(found)
    return summary.gates[: len(gates)], summary  # without those of a duet's margin


def test_gates_that_name_no_fault_leave_its_blocks_out(tmp_path: Path) -> None:
    gates = ["p95 <= baseline + 10%", "mean <= baseline + 10%", "p95 < 100ms"]
    told, _ = judged(tmp_path / "none", *gates, latency=slow(100, 300), fault=None)
    assert [result.status for result in told] == ["fail", "fail", "inconclusive"]
    kept, summary = judged(tmp_path / "fault", *gates, latency=slow(100, 300))
    assert [result.status for result in kept] == ["pass"] * 3
    assert summary.duet is not None
    assert 22 <= summary.duet.blocks <= 25  # of 40
    assert not [change for change in summary.changes if change.meaning == "worse"]


@pytest.mark.parametrize(("b_ms", "status"), [(105.0, "pass"), (300.0, "fail")])
def test_builds_are_compared_in_the_blocks_under_a_fault(tmp_path: Path, b_ms: float, status: str) -> None:
    gates = ["mean <= baseline + 20% during 'db slow'", "error_rate <= baseline + 20% during 'db slow'"]
    failures = (Failing(0.5, endpoint="B GET /products", from_s=0, to_s=9),)
    results, summary = judged(tmp_path, *gates, latency=slow(100, b_ms), failures=failures)
    assert [result.status for result in results] == [status, "pass"]
    assert results[0].baseline == pytest.approx(100, rel=0.05)
    (fault,) = summary.faults
    assert fault.requests == pytest.approx(30 * 400, rel=0.1)  # of both builds, in whole blocks


def test_a_limit_of_its_own_is_judged_of_build_b_under_the_fault(tmp_path: Path) -> None:
    gates = ["error_rate < 5% during 'db slow'", "p95 < 200ms during 'db slow'"]
    results, _ = judged(tmp_path, *gates, latency=slow(300, 100), failures=(Failing(0.5, endpoint="GET /products"),))
    assert [result.status for result in results] == ["pass", "pass"]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("a_until_s", "b_until_s", "status"), [(47.0, 40.0, "pass"), (40.0, 47.0, "fail"), (40.0, 40.0, "pass")]
)
def test_the_recovery_time_is_that_of_build_b(tmp_path: Path, a_until_s: float, b_until_s: float, status: str) -> None:
    latency = slow(300, 300, a_until_s=a_until_s, b_until_s=b_until_s)
    [result], _ = judged(tmp_path, "recovery_time < 4s after 'db slow'", latency=latency)
    assert result.status == status


@pytest.mark.slow
@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("p95 < 1s during 'db slow'", "gate-no-requests-under-fault"),
        ("p95 <= baseline + 20% during 'db slow'", "gate-no-requests-under-fault"),
    ],
)
def test_a_fault_without_a_whole_block_decides_nothing(tmp_path: Path, text: str, code: str) -> None:
    fault = Broken("db slow", 10.4, 11.6)
    [result], _ = judged(tmp_path, text, latency=slow(100, 100), fault=fault)
    assert (result.status, result.code) == ("inconclusive", code)

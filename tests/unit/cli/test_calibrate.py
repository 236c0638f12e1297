"""What ``harness calibrate`` says of its runs."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.cli.calibrate import beside_others, gate_of
from harness.record.calibration import NoiseFloor
from harness.record.measurement import ALL
from harness.record.summary import Summary
from tests.support.judged import judge
from tests.support.plans import steady
from tests.support.recordings import record_run


def run(out: Path, others_s: float) -> Summary:
    """The summary of a run whose steady phase, of 20 s, begins with so many seconds in which others took the cores."""

    def sampled(at_s: float) -> dict[str, dict[str, float]]:
        waits, used = (60.0, 180.0) if at_s < others_s else (1.0, 2.0)
        target = {"cpu_percent": 50.0, "waiting_percent": waits}
        return {"target": target, "machine": {"others_percent": used, "cores": 2.0}}

    phases = [steady(seconds=20)]
    return judge(record_run(out, phases=phases, gates=["p95 < 1s"], lead_in_s=0.0, sampled=sampled))


def test_runs_in_which_others_took_the_cores_for_most_of_a_phase_are_counted(tmp_path: Path) -> None:
    summaries = [run(tmp_path / str(others_s), others_s) for others_s in (0, 4, 15, 20)]
    assert beside_others(summaries) == {"steady": 2}


@pytest.mark.parametrize(("limit", "gate"), [(4.2e-15, "–"), (0.0, "–"), (0.0412, "throughput >= baseline - 4.2%")])
def test_no_gate_is_proposed_on_what_never_varied(limit: float, gate: str) -> None:
    floor = NoiseFloor(
        phase="steady",
        endpoint=ALL,
        metric="throughput",
        unit="/s",
        mean=40.0,
        within=0.0,
        between=0.0,
        detectable=limit,
        detectable_twice_as_long=limit,
        detectable_pooled=limit,
        limit=limit,
    )
    assert gate_of(floor) == gate

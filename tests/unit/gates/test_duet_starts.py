"""A gate of a duet with several starts: what settles it is more of them."""

from __future__ import annotations

from pathlib import Path

from harness.plan.model.target import ShopTarget
from tests.support.judged import judge
from tests.support.plans import steady
from tests.support.recordings import WorkerState, record_run


def test_a_gate_that_starts_leave_undecided_asks_for_more_of_them(tmp_path: Path) -> None:
    folder = record_run(
        tmp_path,
        phases=[steady(users=100, seconds=80)],
        gates=["mean <= baseline + 0.1%"],
        build_b=ShopTarget(),
        starts=2,
        worker=lambda _: WorkerState(cpu=0.2),
    )
    result, *_ = judge(folder).gates
    assert result.code == "gate-within-noise"
    assert [way["code"] for way in result.params["settle"]] == ["gate-settle-starts"]

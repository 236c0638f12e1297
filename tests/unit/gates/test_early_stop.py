"""A duet ends as soon as its gates are decided, and is then judged by what ended it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from harness.gates.early_stop import DuetDecided
from harness.plan.model.target import CommandTarget
from harness.record.journal_entries import EndReason
from harness.record.run_folder import RunFolder
from harness.record.summary import Summary
from harness.recording.run import read_run
from tests.support.judged import judge
from tests.support.latencies import Floats, Latency
from tests.support.plans import steady
from tests.support.recordings import record_run

HOLDS = ["mean <= baseline + 20%"]


def slower(factor: float) -> Latency:
    """Build B takes ``factor`` times as long as build A."""

    def drawn(rng: np.random.Generator, at_s: Floats, endpoint: str) -> Floats:
        return 20 * rng.lognormal(0, 0.3, len(at_s)) * (factor if endpoint.startswith("B ") else 1.0)

    return drawn


def duet(
    folder: Path,
    factor: float,
    gates: Sequence[str] = HOLDS,
    *,
    at_s: float,
    end: EndReason | None = None,
    planned_s: float = 120,
) -> RunFolder:
    """A duet that has gone on until ``at_s``, or was then ended."""
    return record_run(
        folder,
        phases=[steady(seconds=planned_s)],
        gates=gates,
        latency=slower(factor),
        target=CommandTarget(command="old"),
        build_b=CommandTarget(command="new"),
        stop_early=True,
        stop_at_s=at_s,
        end_reason=end,
    )


def decision(folder: RunFolder) -> str | None:
    run = read_run(folder)
    found = DuetDecided(run.plan, folder)(run.journal)
    return None if found is None else found[1].code


@pytest.mark.parametrize(
    ("factor", "at_s", "code"),
    [(1.0, 60.0, "duet-gates-held"), (1.5, 60.0, "duet-gate-failed"), (1.2, 60.0, None), (1.5, 12.0, None)],
)
def test_it_ends_once_the_gates_are_decided(factor: float, at_s: float, code: str | None, tmp_path: Path) -> None:
    assert decision(duet(tmp_path, factor, at_s=at_s)) == code


def test_a_gate_with_a_limit_of_its_own_keeps_it_going_unless_another_failed(tmp_path: Path) -> None:
    gates = [*HOLDS, "p95 < 1s"]
    assert decision(duet(tmp_path / "same", 1.0, gates, at_s=60)) is None
    assert decision(duet(tmp_path / "slower", 1.5, gates, at_s=60)) == "duet-gate-failed"


def test_what_was_enough_to_end_it_is_enough_to_pass(tmp_path: Path) -> None:
    summary = judge(duet(tmp_path, 1.0, at_s=60, end="decided"))
    assert summary.verdict == "pass"
    low, high = summary.gates[0].interval or (0, 0)
    (mean,) = [change for change in summary.changes if (change.endpoint, change.metric) == (None, "mean")]
    assert high is not None
    assert low < mean.observed < high
    stopped = judge(duet(tmp_path / "by hand", 1.0, at_s=60, end="interrupted"))
    assert stopped.verdict == "inconclusive"


@pytest.mark.parametrize("at_s", [18.0, 26.0])
def test_a_long_duet_goes_on_while_its_few_blocks_bound_nothing(at_s: float, tmp_path: Path) -> None:
    gates = [*HOLDS, "error_rate <= baseline + 1%"]
    assert decision(duet(tmp_path, 1.5, gates, at_s=at_s, planned_s=600)) is None


def test_a_long_duet_that_was_interrupted_at_its_begin_can_be_read_again(tmp_path: Path) -> None:
    summary = judge(duet(tmp_path, 1.5, at_s=18, end="interrupted", planned_s=600))
    assert {change.interval for change in summary.changes if change.metric != "rss_max"} == {(-1.0, None)}
    assert {change.meaning for change in summary.changes} == {"no clear change"}
    assert Summary.model_validate_json(summary.to_json()) == summary

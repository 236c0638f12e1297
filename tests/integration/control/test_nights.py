"""Night after night against a window: noise is learned, and a change that each night leaves open does not stay open."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from harness.control.finalize import conclude, judge_again
from harness.plan.model.run import RunPlan
from harness.record.measurement import Baseline
from harness.record.run_folder import RunFolder, read_model
from harness.record.summary import Summary
from harness.store import RunEntry, open_store
from tests.support.latencies import lognormal
from tests.support.plans import steady
from tests.support.recordings import make_environment, record_run

LUCK = 700
NOISE = 0.05
"""How much nights differ (standard deviation, relative)."""


def night(
    reports: Path,
    number: int,
    *,
    slower: float = 1.0,
    gate: str = "p95 <= baseline + 10%",
    window: int | None = 10,
    noise: float = NOISE,
    others_percent: float = 2.0,
) -> Summary:
    """What the ``number``th night concludes; the window is set after each, as the recipe says, or None: it is pinned.

    ``others_percent``: how much others take of two cores, all night.
    """
    waiting = 60.0 if others_percent > 100 else 1.0
    readings = {
        "target": {"cpu_percent": 50.0, "waiting_percent": waiting},
        "machine": {"others_percent": others_percent, "cores": 2.0},
    }
    luck = math.exp(noise * float(np.random.default_rng(LUCK + number).standard_normal()))
    environment = make_environment()
    folder = record_run(
        reports,
        run_id=f"202602{number:02}T020000Z-shop-nightly-0001",
        scenario="shop",
        profile="nightly",
        phases=[steady(50, 30)],
        epoch_s=datetime(2026, 2, number, 2, tzinfo=UTC).timestamp(),
        endpoints={"GET /products": 1.0},
        gates=[gate],
        latency=lognormal(20 * luck * slower, 0.3),
        seed=number,
        environment=environment,
        sampled=lambda _: readings,
    )
    with open_store(None, reports) as store:
        summary = conclude(folder, read_model(folder.plan, RunPlan), environment, store)
        entry = RunEntry(summary, environment.fingerprint, folder.path)
        if window is None:
            store.set_baseline(entry, replace=False)
        else:
            store.set_window(entry, window)
    return summary


@pytest.fixture
def reports(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.delenv("HARNESS_STORE", raising=False)
    return tmp_path / "reports"


@pytest.mark.slow
def test_a_change_slipped_in_on_the_seventh_night_fails_a_night_soon_after(reports: Path) -> None:
    before = [night(reports, number) for number in range(1, 7)]
    assert "fail" not in [summary.verdict for summary in before]
    assert before[-1].baseline is not None
    assert len(before[-1].baseline.run_ids) == 5  # inconclusive ones too
    after = [night(reports, number, slower=1.2) for number in range(7, 12)]
    verdicts = [summary.verdict for summary in after]
    assert "pass" not in verdicts
    first = verdicts.index("fail")
    assert first > 0, "one night must not tell, else this test shows nothing"
    (gate,) = after[first].gates
    assert (gate.code, gate.params["nights"]) == ("gate-nights-beyond-limit", first + 1)
    assert (gate.params["since"], gate.runs) == (after[0].run_id, first + 1)
    kept = read_model(reports / after[first].run_id / "baseline.json", Baseline)
    (open_yet,) = after[first - 1].gates
    assert (open_yet.code, open_yet.params["nights"]) == ("gate-nights-open", first)
    assert [run for run in kept.undecided if run > before[-1].run_id] == [
        summary.run_id for summary in reversed(after[:first])
    ]


@pytest.mark.slow
def test_nights_without_a_change_never_fail_and_do_not_stay_inconclusive(reports: Path) -> None:
    verdicts = [night(reports, number).verdict for number in range(1, 17)]
    assert "fail" not in verdicts
    assert verdicts[6:].count("pass") >= 5


@pytest.mark.slow
def test_nights_beside_a_neighbour_do_not_make_a_later_one_fail(reports: Path) -> None:
    """What others made of a night is nothing of the build."""
    for number in range(1, 7):
        night(reports, number)
    disturbed = [night(reports, number, slower=1.7, others_percent=180.0) for number in range(7, 11)]
    assert {summary.gates[0].code for summary in disturbed} == {"gate-contaminated"}
    later = [night(reports, number) for number in range(11, 14)]
    assert "fail" not in [summary.verdict for summary in later]
    codes = {summary.gates[0].code for summary in later}
    assert not codes & {"gate-nights-beyond-limit", "gate-nights-undecided"}, codes


@pytest.mark.slow
def test_a_window_of_nights_that_could_not_tell_is_reported(reports: Path) -> None:
    nights = [night(reports, number, gate="p95 <= baseline + 0.1%", window=6, noise=0.0) for number in range(1, 8)]
    assert {summary.verdict for summary in nights} == {"inconclusive"}
    rows = [[n.params["runs"] for n in summary.notices if n.code == "inconclusive-for-long"] for summary in nights]
    assert rows == [[], [], [], [], [], [6], [7]]
    again = judge_again(RunFolder(reports / nights[-1].run_id))
    assert [notice.params["runs"] for notice in again.notices if notice.code == "inconclusive-for-long"] == [7]
    assert "inconclusive-for-long" not in [notice.code for notice in night(reports, 8, slower=0.5, window=6).notices]


@pytest.mark.slow
def test_first_nights_of_a_gate_on_steps_are_no_row_that_could_not_tell(reports: Path) -> None:
    nights = [night(reports, number, gate="p95 no step up", window=5) for number in range(1, 7)]
    assert [summary.verdict for summary in nights] == ["inconclusive"] * 5 + ["pass"]
    assert "inconclusive-for-long" not in [notice.code for summary in nights for notice in summary.notices]


def test_a_window_of_one_night_that_could_not_tell_is_reported_too(reports: Path) -> None:
    nights = [night(reports, number, gate="p95 <= baseline + 0.1%", window=1, noise=0.0) for number in range(1, 5)]
    rows = [[n.params["runs"] for n in summary.notices if n.code == "inconclusive-for-long"] for summary in nights]
    assert rows == [[], [], [3], [3]]


def test_a_window_has_no_run_that_began_later_and_ended_first(reports: Path) -> None:
    for number in (1, 2, 4):
        night(reports, number)
    baseline = night(reports, 3).baseline
    assert baseline is not None
    assert [run_id[:8] for run_id in baseline.run_ids] == ["20260202", "20260201"]


@pytest.mark.slow
def test_nights_that_are_compared_with_pinned_runs_are_judged_one_by_one(reports: Path) -> None:
    tight = "p95 <= baseline + 0.1%"
    nights = [night(reports, number, gate=tight, window=None, noise=0.0) for number in range(1, 8)]
    assert {summary.verdict for summary in nights} == {"inconclusive"}
    assert [summary.gates[0].code for summary in nights[3:]] == ["gate-within-noise"] * 4

"""Nights that show a rise of CPU time only together name the function together, too."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from harness.control.finalize import conclude, judged
from harness.plan.model.run import RunPlan
from harness.record.explanation import Explanation
from harness.record.history import StepHistory
from harness.record.profiles import Stack
from harness.record.run_folder import RunFolder, read_model
from harness.record.summary import Summary
from harness.store import RunEntry, open_store
from tests.support.plans import steady
from tests.support.recordings import Profiles, make_environment, record_run

LIMIT, STEP = "cpu_per_request <= baseline + 10%", "cpu_per_request no step up"
LUCK = 700
SERVE = ("main (shop/__main__.py:12)", "run (uvicorn/server.py:60)")
RANK = (*SERVE, "search (shop/app.py:120)", "rank (shop/rank.py:40)")
USUAL = {
    (*SERVE, "list_products (shop/app.py:80)"): 42,
    (*SERVE, "list_products (shop/app.py:80)", "serialize (shop/app.py:30)"): 21,
    (*SERVE, "checkout (shop/app.py:140)"): 35,
    RANK: 42,
}
"""Samples of a night: so few that its own profile shows no growth of a fifth of the CPU time."""


def night(
    reports: Path,
    number: int,
    *gates: str,
    slower: float = 1.0,
    more: Mapping[tuple[str, ...], int] | None = None,
    window: bool = True,
) -> Summary:
    """What the ``number``th night concludes; ``slower`` is its CPU time, and ``more`` the samples it took more.

    Nights differ by 4 %, or for gates on steps by 3 % (standard deviation).
    """
    rng = np.random.default_rng(LUCK + number)
    luck = math.exp((0.03 if STEP in gates else 0.04) * rng.standard_normal())
    stacks = [
        Stack(frames, int(rng.poisson(luck * (weight + (more or {}).get(frames, 0)))))
        for frames, weight in USUAL.items()
    ]
    environment = make_environment()
    folder = record_run(
        reports,
        run_id=f"202602{number:02}T020000Z-shop-nightly-0001",
        scenario="shop",
        profile="nightly",
        phases=[steady(rate=50, seconds=30)],
        endpoints={"GET /products": 1.0},
        gates=gates,
        seed=number,
        sampled=lambda _: {"target": {"cpu_percent": 14 / 3 * luck * slower}},
        profiles=Profiles(cpu={"steady": stacks}),
        environment=environment,
        epoch_s=datetime(2026, 2, number, 2, tzinfo=UTC).timestamp(),
    )
    with open_store(None, reports) as store:
        summary = conclude(folder, read_model(folder.plan, RunPlan), environment, store)
        if window:
            store.set_window(RunEntry(summary, environment.fingerprint, folder.path), 10)
    return summary


@pytest.fixture
def reports(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.delenv("HARNESS_STORE", raising=False)
    return tmp_path / "reports"


def dearer(reports: Path, number: int, *gates: str, window: bool = True) -> Summary:
    """A night on which ``rank`` takes a fifth of the CPU time more."""
    return night(reports, number, *gates, slower=1.2, more={RANK: 28}, window=window)


def of_cpu(summary: Summary) -> Explanation:
    (found,) = [each for each in summary.explanations if each.metric == "cpu_per_request"]
    return found


def names_rank(found: Explanation, nights: int) -> None:
    """Says that ``rank`` took 0.187 ms a request more in so many nights."""
    assert (found.what.code, found.what.params["nights"]) == ("explain-nights-rose", nights)
    assert found.rise is not None
    assert found.observed is not None
    assert found.reference == pytest.approx(found.observed - found.rise.value)
    assert found.rise.low < 0.187 < (found.rise.high or 0)
    cause = found.causes[0]
    assert (cause.kind, cause.sure) == ("cpu", True)
    assert cause.place is not None
    assert (cause.place.function, cause.place.line) == ("rank", 40)
    assert cause.per_request_ms is not None
    assert 0 < cause.per_request_ms.low < 0.187 < (cause.per_request_ms.high or 0)


@pytest.mark.slow
def test_undecided_nights_name_together_the_function_that_none_names_alone(reports: Path) -> None:
    for number in range(1, 11):
        assert night(reports, number, LIMIT).explanations == []
    for number in range(11, 19):
        last = dearer(reports, number, LIMIT)
        assert last.suspects == []
        if last.verdict == "fail":
            break
    assert last.gates[0].code == "gate-nights-beyond-limit"
    names_rank(of_cpu(last), last.gates[0].params["nights"])


@pytest.mark.slow
def test_nights_that_rose_for_certain_are_explained_though_the_limit_is_open(reports: Path) -> None:
    for number in range(1, 11):
        night(reports, number, LIMIT)
    nights = [dearer(reports, number, "cpu_per_request <= baseline + 18%") for number in range(11, 15)]
    assert [each.gates[0].code for each in nights[1:]] == ["gate-nights-open"] * 3
    names_rank(of_cpu(nights[-1]), 4)


@pytest.mark.slow
@pytest.mark.parametrize("window", [True, False])
def test_a_step_names_the_function_that_the_runs_since_it_show(reports: Path, window: bool) -> None:
    """With a baseline, which has no failed run, and without one."""
    for number in range(1, 7):
        night(reports, number, STEP, window=window)
    verdicts = []
    for number in range(7, 13):
        last = dearer(reports, number, STEP, window=window)
        verdicts.append(last.verdict)
    assert verdicts[0] == "pass"
    assert verdicts[-2:] == ["fail", "fail"]
    assert last.suspects == []
    names_rank(of_cpu(last), 6)
    folder = RunFolder.open(reports / last.run_id)
    kept = read_model(folder.past_runs, StepHistory).measured
    assert len(kept) == (verdicts[:-1].count("fail") if window else 11)
    (reports / "store.sqlite").unlink()
    names_rank(of_cpu(judged(folder)), 6)


@pytest.mark.slow
def test_a_rise_that_no_function_shows_stays_unexplained(reports: Path) -> None:
    for number in range(1, 7):
        night(reports, number, STEP)
    nights = [night(reports, number, STEP, slower=1.3) for number in range(7, 11)]
    found = of_cpu(next(each for each in nights if each.verdict == "fail"))
    assert found.rise is not None
    assert [cause for cause in found.causes if cause.sure] == []


@pytest.mark.slow
def test_the_level_before_the_last_but_one_step_does_not_count(reports: Path) -> None:
    """``rank`` was as dear as now before it got cheaper: only the nights in between are what it is compared with."""
    for number in range(1, 7):
        dearer(reports, number, STEP)
    for number in range(7, 13):
        night(reports, number, STEP)
    nights = [dearer(reports, number, STEP) for number in range(13, 17)]
    failed = next(each for each in nights if each.verdict == "fail")
    found = of_cpu(failed)
    names_rank(found, found.what.params["nights"])
    assert found.what.params["nights"] <= 4

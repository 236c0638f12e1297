"""A duet among runs of one build: it is no baseline, is not compared with them, and has a history of its own."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.control.finalize import conclude
from harness.plan.model.run import RunPlan
from harness.plan.model.target import CommandTarget
from harness.record.run_folder import read_model
from harness.store import open_store
from tests.support.in_process import Said, harness
from tests.support.plans import steady
from tests.support.recordings import make_environment, record_run

RUN, DUET = (f"20260202T02400{number}Z-flash_sale-default-000{number}" for number in (1, 2))
PHASES = [steady(name="held", seconds=20)]


@pytest.fixture
def reports(tmp_path: Path) -> Path:
    """A run and a later duet of the same scenario, profile and environment, both stored."""
    reports, environment = tmp_path / "reports", make_environment("f1")
    with open_store(None, reports) as store:
        for run_id, build_b in ((RUN, None), (DUET, CommandTarget(command="b"))):
            folder = record_run(reports, run_id=run_id, phases=PHASES, environment=environment, build_b=build_b)
            conclude(folder, read_model(folder.plan, RunPlan), environment, store)
    return reports


def said(reports: Path, *words: str) -> Said:
    return harness(*words, "--out", str(reports))


@pytest.mark.parametrize("words", [("set",), ("set", "--window", "10"), ("set", "--force"), ("accept", "--why", "new")])
def test_a_duet_is_no_baseline(words: tuple[str, ...], reports: Path) -> None:
    result = said(reports, "baseline", *words, "latest")
    assert (result.exit_code, result.code) == (2, "baseline-of-duet")


def test_a_window_does_not_take_a_duet(reports: Path) -> None:
    assert said(reports, "baseline", "set", RUN, "--window", "10").exit_code == 0
    (listed,) = said(reports, "baseline", "list", "--json").json
    assert listed["run_ids"] == [RUN]


def test_a_duet_is_not_compared_with_a_run(reports: Path) -> None:
    result = said(reports, "compare", RUN, DUET)
    assert (result.exit_code, result.code) == (2, "compare-duet")


def test_a_history_is_of_runs_of_one_build_unless_there_are_only_duets(reports: Path) -> None:
    def shown() -> tuple[list[str], set[str]]:
        found = said(reports, "history", "flash_sale", "--json").json
        return [run["run_id"] for run in found["runs"]], {one["phase"] for one in found["series"]}

    assert shown() == ([RUN], {"held"})
    with open_store(None, reports) as store:
        assert store.forget_run(RUN)
    assert shown() == ([DUET], {"held (build A)", "held (build B)"})

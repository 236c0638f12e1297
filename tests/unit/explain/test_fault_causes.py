"""Of the faults of a broken run, that one is a cause which was at work when it broke."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.broken_runs import Broken, write_faults
from tests.support.judged import judge
from tests.support.plans import steady
from tests.support.recordings import record_run


@pytest.mark.parametrize(("end_s", "causes"), [(20.0, ["db slow"]), (None, ["db slow"]), (15.0, [])])
def test_only_the_fault_that_was_open_when_the_proxies_were_lost_is_a_cause(
    tmp_path: Path, end_s: float | None, causes: list[str]
) -> None:
    folder = record_run(tmp_path, phases=[steady(seconds=30)], stop_at_s=20.0, end_reason="proxies lost")
    write_faults(folder, Broken("cache slow", 4.0, 8.0), Broken("db slow", 12.0, end_s))
    summary = judge(folder)
    assert summary.verdict == "broken"
    found = [each for each in summary.explanations if each.metric == "run"]
    named = [cause.what.params["fault"] for each in found for cause in each.causes if cause.kind == "fault"]
    assert named == causes

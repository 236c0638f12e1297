"""The events of faults become spans, whatever went wrong in between."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import pyarrow.parquet as pq

from harness.messages import message
from harness.record.fault_events import FAULT_EVENTS, FaultEvent, FaultSpan, fault_spans
from harness.recording.run import read_run
from harness.recording.streams import faults
from tests.support.plans import steady
from tests.support.recordings import EPOCH_S, record_run

WHY = message("fault-raised", error="OSError", reason="no")


def event(at_s: float, what: Literal["began", "ended", "failed"], name: str = "db slow") -> FaultEvent:
    error = WHY.to_data() if what == "failed" else None
    return FaultEvent(EPOCH_S + at_s, what, name, "process", "steady", error)


def span(began_s: float, ended_s: float | None, name: str = "db slow", *, failed: bool = False) -> FaultSpan:
    end_s = None if ended_s is None else EPOCH_S + ended_s
    return FaultSpan(name, "process", "steady", EPOCH_S + began_s, end_s, WHY if failed else None)


def test_faults_that_overlap_are_distinguished_by_their_names() -> None:
    events = [event(1, "began"), event(2, "began", "other"), event(3, "ended"), event(4, "ended", "other")]
    assert fault_spans(events) == [span(1, 3), span(2, 4, "other")]


def test_a_fault_is_undone_only_if_its_end_is_recorded() -> None:
    assert fault_spans([event(1, "began")]) == [span(1, None)]
    assert fault_spans([event(1, "began"), event(2, "failed")]) == [span(1, None, failed=True)]
    assert fault_spans([event(1, "began"), event(2, "failed"), event(3, "ended")]) == [span(1, 3, failed=True)]


def test_another_process_goes_on_with_the_file(tmp_path: Path) -> None:
    first = FAULT_EVENTS.writer(tmp_path / "faults", resume=True)
    first.write(event(1, "began"))
    second = FAULT_EVENTS.writer(tmp_path / "faults", resume=True)  # the first was killed
    second.write(event(2, "ended"))
    assert FAULT_EVENTS.read(tmp_path / "faults") == [event(1, "began"), event(2, "ended")]
    first.close()
    second.close()


def test_the_table_counts_from_the_start_of_the_run(tmp_path: Path) -> None:
    folder = record_run(tmp_path, phases=[steady(seconds=3)])
    log = FAULT_EVENTS.writer(folder.faults)
    for each in (event(1, "began"), event(2, "failed"), event(2, "began", "other")):
        log.write(each)
    log.close()
    read_run(folder).write_tables()
    table = pq.read_table(folder.path / "faults.parquet")
    assert table.schema.equals(faults.SCHEMA)
    assert table["name"].to_pylist() == ["db slow", "other"]
    assert table["began_s"].to_pylist() == [1.0, 2.0]
    assert [end != end for end in table["ended_s"].to_pylist()] == [True, True]
    assert [bool(error) for error in table["error"].to_pylist()] == [True, False]

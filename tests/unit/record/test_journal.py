"""The journal gives back what was recorded, also while it grows and when its writer was killed."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.errors import HarnessError
from harness.record.endpoint_second import EndpointSecond
from harness.record.frames import FrameWriter
from harness.record.journal import SCHEMA, Journal, JournalFollower, read_journal
from harness.record.journal_entries import Endpoint
from harness.record.second_table import SecondTable
from tests.support.endpoint_seconds import histogram_of, table_of
from tests.support.plans import ramp, steady, stress
from tests.support.recordings import Failing, record_run


def requests_in(journal: Journal) -> int:
    return sum(series.requests for second in journal.seconds for series in second.endpoint_seconds)


def test_a_whole_run_is_read(tmp_path: Path) -> None:
    folder = record_run(
        tmp_path,
        phases=[ramp(), steady(rate=40), stress()],
        failures=[Failing(0.05, "HTTP 503", "POST /checkout")],
        events=[(3.0, "worker lost", "load worker 2 is gone")],
        held_steps=1,
    )
    journal = read_journal(folder.journal)
    assert journal.run_id == folder.run_id
    assert [span.reason for span in journal.phases] == ["done", "done", "limit broke"]
    assert journal.phases[2].held_segment == 0
    assert journal.phases[2].segments == (25.25, 30.25)
    assert journal.end_reason == "done"
    assert journal.last_s == journal.end_s
    assert str(journal.events[0].message) == "load worker 2 is gone"
    failed = sum(series.failures for second in journal.seconds for series in second.endpoint_seconds)
    assert failed == sum(failure.count for failure in journal.failures) > 0
    assert journal.samples[0].detail["url"].endswith("/checkout")
    assert str(journal.endpoints[1]) == "POST /checkout"


def test_an_endpoint_without_a_method_is_its_name() -> None:
    assert str(Endpoint("", "checkout flow")) == "checkout flow"


def test_the_open_model_keeps_service_time_beside_response_time(tmp_path: Path) -> None:
    folder = record_run(tmp_path, phases=[ramp(), steady(rate=40)], start_delay=lambda _, at_s, __: 0 * at_s + 5.0)
    journal = read_journal(folder.journal)
    series = {part.phase: part for second in journal.seconds for part in second.endpoint_seconds}
    assert series[0].service is series[0].response
    assert series[1].response.sum_us - series[1].service.sum_us == 5000 * series[1].requests


def test_a_journal_cut_at_any_byte_can_be_read(tmp_path: Path) -> None:
    whole = record_run(tmp_path, phases=[steady(users=2, seconds=3)]).journal.read_bytes()
    cut = tmp_path / "cut"
    counts = []
    for length in range(0, len(whole), 7):
        cut.write_bytes(whole[:length])
        follower = JournalFollower(cut)
        follower.poll()
        counts.append(requests_in(follower.journal))
        assert follower.journal.end_reason is None
    assert counts == sorted(counts)
    assert counts[-1] > 0


def test_a_follower_sees_the_run_grow(tmp_path: Path) -> None:
    whole = record_run(tmp_path, phases=[steady(users=5, seconds=3)]).journal.read_bytes()
    growing = tmp_path / "growing"
    follower = JournalFollower(growing)
    assert not follower.poll()
    seen = set()
    for length in range(0, len(whole) + 97, 97):
        growing.write_bytes(whole[:length])
        follower.poll()
        seen.add(len(follower.journal.seconds))
    assert seen == {0, 1, 2, 3, 4}
    assert follower.journal.end_reason == "done"


def test_the_end_of_what_was_recorded(tmp_path: Path) -> None:
    killed = record_run(tmp_path, phases=[ramp(), steady()], stop_at_s=12.5, end_reason=None)
    assert read_journal(killed.journal).last_s == 12
    assert Journal().last_s == 0


def test_a_missing_and_an_empty_journal_are_different_errors(tmp_path: Path) -> None:
    with pytest.raises(HarnessError, check=lambda error: error.code == "journal-missing"):
        read_journal(tmp_path / "journal")
    FrameWriter(tmp_path / "journal").close()
    with pytest.raises(HarnessError, check=lambda error: error.code == "journal-empty"):
        read_journal(tmp_path / "journal")


@pytest.mark.parametrize(
    "frame",
    [
        {"kind": "start", "schema": 99, "run_id": "x", "epoch_s": 0.0},
        {"kind": "endpoint", "id": 1},
        {"kind": "segment", "at_s": 1.0},
        {"kind": "second", "second": 1, "users": 1, "workers": [[1]], "series": []},
        {"kind": "second", "second": 1, "users": 1, "workers": [], "series": {"open": b"1"}},
        {"kind": "failure", "endpoint": 1, "surprise": 2},
    ],
)
def test_a_frame_that_lacks_something_is_named(tmp_path: Path, frame: dict[str, object]) -> None:
    with FrameWriter(tmp_path / "journal") as writer:
        writer.write(frame)
    with pytest.raises(HarnessError, check=lambda error: error.code == "frame-not-understood") as raised:
        read_journal(tmp_path / "journal")
    assert raised.value.params["kind"] == frame["kind"]


def test_workers_of_a_journal_from_before_rate_limits_held_nothing_back() -> None:
    wire: list[object] = [0, 1, 0.5, 1.0, 2, 0, 0, 0.0, 0.0, 0.0]
    tables = {"series": SecondTable.empty().to_wire(), "lateness": SecondTable.empty().to_wire()}
    journal = Journal()
    for second, state in enumerate((wire, [*wire, 3])):
        journal.add({"kind": "second", "second": second, "users": 1, "workers": [state], **tables})
    assert [state.held for second in journal.seconds for state in second.workers] == [0, 3]


def test_what_a_newer_harness_adds_is_passed_over(tmp_path: Path) -> None:
    with FrameWriter(tmp_path / "journal") as writer:
        writer.write({"kind": "start", "schema": SCHEMA, "run_id": "x", "epoch_s": 5.0})
        writer.write({"kind": "tides", "height": 3})
    assert read_journal(tmp_path / "journal").epoch_s == 5.0


def test_a_second_table_survives_the_wire() -> None:
    response, failed = histogram_of([1000, 2000, 70_000]), histogram_of([70_000])
    sent = EndpointSecond(1, 2, 3, 3, 1, 99, response, response, failed)
    (again,) = EndpointSecond.all_of(SecondTable.from_wire(table_of(7, [sent]).to_wire()))
    assert (again.phase, again.segment, again.endpoint, again.requests, again.failures) == (1, 2, 3, 3, 1)
    assert again.service is again.response
    assert again.failed.max_us == 70_000

"""The lines of a log: what happened, in order, when, and nothing that a terminal would obey."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from harness.api.plain_output import PlainOutput, clock
from harness.messages import message
from harness.record.journal import read_journal
from harness.record.plain_text import one_line
from harness.record.run_folder import RunFolder
from tests.support.latencies import Latency
from tests.support.plans import gate, ramp, steady, stress
from tests.support.recordings import Failing, record_run
from tests.support.replay import replay
from tests.support.streams import stream_that_takes_nothing

HOSTILE = "GET /\x1b]0;owned\x07\x1b[2J[bold]\u202ex\n\ttwo"


def reported(folder: RunFolder, capsys: pytest.CaptureFixture[str]) -> list[str]:
    """What a log holds of a recorded run."""
    observer = PlainOutput()
    observer.notify(message("note", text="starting the target"))
    replay(folder, observer)
    observer.load_ended()
    observer.notify(message("note", text="judging"))
    out, err = capsys.readouterr()
    assert out == ""
    assert "\x1b" not in err
    return err.splitlines()


def place(lines: list[str], text: str) -> int:
    """The first line that holds ``text``."""
    return next(at for at, line in enumerate(lines) if text in line)


def test_a_run_is_printed_from_begin_to_end(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = record_run(
        tmp_path,
        phases=[ramp(20, 4), steady(20, 22), stress((10, 20, 30), 3)],
        gates=[
            gate("p95 < 500ms", "steady"),
            gate("p50 < 1ms", "steady"),
            gate("p95 <= baseline + 10%", "steady"),
            gate("p95 < 900ms", "steady", "GET /none"),
            gate("capacity_users >= 10", "stress"),
        ],
        events=[(30.0, "limit broke", "phase stress at 20 users: p95 was 600 ms")],
        held_steps=1,
    )
    lines = reported(run, capsys)
    order = [
        place(lines, text)
        for text in (
            "starting the target",
            "flash_sale, profile default, target: the embedded shop",
            f"run folder: {run.path}",
            "ramp begins: 0 to 20 users for 4 s",
            "ramp ended · ",
            "steady begins: ",
            " 0:10  steady · 20 of 20 users · ",
            " 0:20  steady · 20 of 20 users · ",
            "steady ended · ",
            "gate p95 < 500ms: ",
            "gate p50 < 1ms: ",
            "stress begins",
            "phase stress at 20 users: p95 was 600 ms",
            "stress ended at its limit · held 10 users so far · ",
            "judging",
        )
    ]
    assert order == sorted(order)
    assert lines[place(lines, "gate p95 < 500ms")].endswith("ms, holds so far")
    assert lines[place(lines, "gate p50 < 1ms")].endswith("ms, does not hold so far")
    assert "judged after the run" in lines[place(lines, "baseline + 10%")]
    assert lines[place(lines, "on GET /none")].endswith("no requests yet")
    assert lines[place(lines, "gate capacity_users >= 10")].endswith("judged after the run")
    tick = lines[place(lines, " 0:20 ")]
    assert "requests/s" in tick
    assert "P95" in tick
    assert "errors 0" in tick
    assert "waiting" not in tick


def test_the_figures_at_a_phases_end_hold_its_last_second(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    quick = _constant(1.0)
    run = record_run(tmp_path, phases=[steady(20, 4), steady(20, 2, name="next")], latency=quick, lead_in_s=0.0)
    lines = reported(run, capsys)
    ended = lines[place(lines, "steady ended")]
    recorded = sum(
        series.requests
        for second in read_journal(run.journal).seconds
        for series in second.endpoint_seconds
        if series.phase == 0 and second.second < 4
    )
    assert f" {recorded} requests " in ended
    assert place(lines, "steady ended") < place(lines, "next begins")


def test_the_open_model_shows_waiting_arrivals(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = record_run(tmp_path, phases=[steady(rate=50, seconds=12)], failures=[Failing(0.5, HOSTILE)])
    lines = reported(run, capsys)
    tick = lines[place(lines, " 0:10 ")]
    assert "of 50 arrivals/s" in tick
    assert tick.endswith("waiting 0")
    assert "%)" in tick


def test_a_run_that_sent_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lines = reported(record_run(tmp_path, phases=[steady(0, 12)], gates=["p95 < 900ms"]), capsys)
    assert "requests/s · P95 – · errors 0" in lines[place(lines, " 0:10 ")]
    assert "steady ended · no requests" in lines[place(lines, "steady ended")]


@pytest.mark.parametrize("reason", ["interrupted", None])
def test_a_run_that_was_cut_off(tmp_path: Path, capsys: pytest.CaptureFixture[str], reason: Any) -> None:
    run = record_run(tmp_path, phases=[steady(20, 30)], stop_at_s=5, end_reason=reason)
    lines = reported(run, capsys)
    assert ("was cut short" in lines[-2]) == (reason is not None)
    assert lines[-1].endswith("judging")


def test_hostile_names_are_printed_harmlessly(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = record_run(
        tmp_path,
        phases=[steady(20, 12, name="st\x1b[31mea\ndy")],
        endpoints={HOSTILE: 1.0},
        gates=[gate("p95 < 900ms", None, HOSTILE)],
        events=[(3.0, "error", HOSTILE)],
    )
    lines = reported(run, capsys)
    assert place(lines, "stea dy begins")
    assert place(lines, "GET /[bold]�x two")


def test_no_phase_of_a_run_that_never_began(capsys: pytest.CaptureFixture[str]) -> None:
    observer = PlainOutput()
    observer.notify(message("note", text="starting the target"))
    observer.load_ended()
    assert capsys.readouterr().err.split() == ["starting", "the", "target"]


@pytest.mark.parametrize("state", ["closed pipe", "full disk"])
def test_a_log_that_cannot_be_written_does_not_end_the_run(
    state: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with stream_that_takes_nothing(state) as log:
        monkeypatch.setattr("sys.stderr", log)
        observer = PlainOutput()
        replay(record_run(tmp_path, phases=[steady(5, 3)]), observer)
        observer.load_ended()
        monkeypatch.undo()


def test_clock_and_one_line() -> None:
    assert [clock(seconds) for seconds in (-1, 5, 65.9, 3725)] == ["0:00", "0:05", "1:05", "1:02:05"]
    assert one_line(" a\r\nb\t\x1b[1mc ") == "a b c"


def _constant(milliseconds: float) -> Latency:
    return lambda _, at_s, __: at_s * 0 + milliseconds

"""Checks of a worker are counted by name, phase and second, in bounded memory."""

from __future__ import annotations

import time

import pytest

from harness.engine import checks
from harness.engine.checks import MOST_CHECKS, OTHER_CHECKS, SAMPLES_PER_CHECK, Check, CheckRecorder, check
from harness.engine.phase_track import PhaseTrack

BEGAN_S = time.perf_counter() - 100


@pytest.fixture
def recorder(monkeypatch: pytest.MonkeyPatch) -> CheckRecorder:
    """Of a worker whose run began 100 s ago: phase 0 from the first second on, phase 1 from second 50 on."""
    track = PhaseTrack()
    track.begin(0, 0.0, [50.0], is_open=False)
    track.begin(1, 50.0, [50.0], is_open=False)
    made = CheckRecorder(track, lambda: time.perf_counter() - BEGAN_S)
    monkeypatch.setattr(checks, "_recorder", made)
    return made


def at(second: float) -> float:
    return BEGAN_S + second


def test_a_check_counts_in_its_second_and_in_the_phase_that_began_its_request(recorder: CheckRecorder) -> None:
    recorder.note("a", True, at(10.2), at(10.5))
    recorder.note("a", False, at(10.4), at(10.6))
    recorder.note("a", True, at(49.5), at(50.5))
    recorder.note("b", True, at(60.1), at(60.5))
    counts, _ = recorder.take()
    assert sorted(counts) == [["a", 0, 10, 1, 1], ["a", 0, 50, 1, 0], ["b", 1, 60, 1, 0]]
    assert recorder.take() == ([], [])


def test_a_check_that_fails_after_all_is_counted_once(recorder: CheckRecorder) -> None:
    place = recorder.note("a", True, at(10.1), at(10.2))
    recorder.note("a", True, at(10.1), at(10.2))
    recorder.turn(place, "a", at(10.1), at(10.2), "too late")
    counts, samples = recorder.take()
    assert counts == [["a", 0, 10, 1, 1]]
    assert [(name, text) for name, _, text in samples] == [("a", "too late")]
    place = recorder.note("a", True, at(10.1), at(10.2))
    recorder.take()
    recorder.turn(place, "a", at(11.1), at(11.2))  # it has been reported as passed
    assert recorder.take()[0] == [["a", 0, 11, 0, 1]]


def test_many_checks_are_counted_while_they_are_made(recorder: CheckRecorder) -> None:
    for number in range(10_000):
        recorder.note("a", number % 4 != 0, at(10.1), at(10.2))
    assert recorder.take()[0] == [["a", 0, 10, 7500, 2500]]


def test_names_are_bounded_and_none_is_lost(recorder: CheckRecorder) -> None:
    for number in range(3 * MOST_CHECKS):
        recorder.note(f"order {number}", True, at(10.1), at(10.2))
        recorder.note("order 0", True, at(10.1), at(10.2))
    counts, _ = recorder.take()
    assert len(counts) == MOST_CHECKS + 1
    by_name = {name: passed for name, _, _, passed, _ in counts}
    assert by_name[OTHER_CHECKS] == 2 * MOST_CHECKS
    assert by_name["order 0"] == 3 * MOST_CHECKS + 1


def test_a_few_reasons_are_kept_without_secrets(recorder: CheckRecorder) -> None:
    for number in range(20):
        recorder.note("a", False, at(10.1), at(10.2), f"password=hunter2 {number}")
        recorder.note("slow", False, at(10.1), at(10.2), f"within 200ms: {201 + number} ms")
    recorder.note("slow", False, at(10.1), at(10.2), "status is 200: status 503")
    _, samples = recorder.take()
    assert [text for name, _, text in samples if name == "slow"] == [
        "within 200ms: 201 ms",
        "status is 200: status 503",
    ]
    samples = [sample for sample in samples if sample[0] == "a"]
    assert len(samples) == SAMPLES_PER_CHECK
    assert not any("hunter2" in text for _, _, text in samples)
    assert samples[0][1] == pytest.approx(10.2, abs=0.1)


def test_a_check_is_true_if_it_holds_and_is_counted_in_a_worker(
    recorder: CheckRecorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert check("a", 1)
    assert not check("a", "", "empty")
    ((name, _, second, *counts),) = recorder.take()[0]
    assert (name, counts) == ("a", [1, 1])
    assert second >= 100
    monkeypatch.setattr(checks, "_recorder", None)
    assert check("lost_writes", 3) == Check("lost_writes", 3)
    assert recorder.take() == ([], [])


def test_checks_before_the_run_began_count_in_its_first_second() -> None:
    made_s = time.perf_counter()
    began_s = [made_s - 100]
    recorder = CheckRecorder(PhaseTrack(), lambda: time.perf_counter() - began_s[0])
    for _ in range(5000):  # more than are counted at a time
        recorder.note("early", True, made_s, made_s)
    began_s[0] = made_s + 10
    assert recorder.take()[0] == [["early", 0, 0, 5000, 0]]

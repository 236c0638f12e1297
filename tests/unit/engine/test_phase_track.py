"""A request belongs to the phase and segment that ran when it was started."""

from __future__ import annotations

from harness.engine.phase_track import PhaseTrack
from harness.record.second_table import AFTER


def test_segments_follow_each_other_and_a_new_phase_voids_what_was_planned() -> None:
    track = PhaseTrack()
    track.begin(0, 1.0, [10.0], is_open=False)
    track.begin(1, 11.0, [5.0, 5.0, 5.0], is_open=True)
    assert [(track.at(s).phase, track.at(s).segment) for s in (1.0, 10.9, 11.0, 16.1, 21.0, 99.0)] == [
        (0, 0),
        (0, 0),
        (1, 0),
        (1, 1),
        (1, 2),
        (1, AFTER),
    ]
    assert track.at(12.0).open
    track.begin(2, 17.0, [5.0], is_open=False)
    assert (track.at(16.9).phase, track.at(16.9).segment) == (1, 1)
    assert (track.at(22.0).phase, track.at(22.0).open) == (2, False)


def test_requests_after_the_end_of_the_load_belong_to_no_segment() -> None:
    track = PhaseTrack()
    track.begin(0, 1.0, [10.0], is_open=False)
    track.end(6.0)
    assert [(track.at(s).phase, track.at(s).segment) for s in (5.9, 6.0, 12.0)] == [(0, 0), (0, AFTER), (0, AFTER)]
    track.begin(1, 8.0, [], is_open=False)
    track.end(20.0)
    assert [(track.at(s).phase, track.at(s).segment) for s in (19.9, 20.0)] == [(1, 0), (1, AFTER)]


def test_before_the_first_phase_requests_count_to_it() -> None:
    assert PhaseTrack().at(-5.0).phase == 0

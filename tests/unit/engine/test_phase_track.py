"""A request belongs to the phase and segment that ran when it was started."""

from __future__ import annotations

import numpy as np

from harness.engine.phase_track import PhaseTrack
from harness.record.second_table import AFTER


def at(track: PhaseTrack, *at_s: float) -> list[tuple[int, int, bool]]:
    """Phase, segment and whether the phase is open, at each of these moments."""
    return list(zip(*(column.tolist() for column in track.at(np.array(at_s))), strict=True))


def test_segments_follow_each_other_and_a_new_phase_voids_what_was_planned() -> None:
    track = PhaseTrack()
    track.begin(0, 1.0, [10.0], is_open=False)
    track.begin(1, 11.0, [5.0, 5.0, 5.0], is_open=True)
    assert at(track, 1.0, 10.9, 11.0, 16.1, 21.0, 99.0) == [
        (0, 0, False),
        (0, 0, False),
        (1, 0, True),
        (1, 1, True),
        (1, 2, True),
        (1, AFTER, True),
    ]
    track.begin(2, 17.0, [5.0], is_open=False)
    assert at(track, 16.9, 21.9, 22.0) == [(1, 1, True), (2, 0, False), (2, AFTER, False)]


def test_requests_after_the_end_of_the_load_belong_to_no_segment() -> None:
    track = PhaseTrack()
    track.begin(0, 1.0, [10.0], is_open=False)
    track.end(6.0)
    assert at(track, 5.9, 6.0, 12.0) == [(0, 0, False), (0, AFTER, False), (0, AFTER, False)]
    track.begin(1, 8.0, [], is_open=False)
    track.end(20.0)
    assert at(track, 19.9, 20.0) == [(1, 0, False), (1, AFTER, False)]


def test_before_the_first_phase_requests_count_to_it() -> None:
    assert at(PhaseTrack(), -5.0) == [(0, 0, False)]

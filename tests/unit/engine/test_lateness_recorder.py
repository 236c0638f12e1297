"""How late arrivals were started, by the phase in which they were due."""

from __future__ import annotations

from harness.engine.lateness_recorder import LatenessRecorder
from harness.engine.phase_track import PhaseTrack
from harness.record.endpoint_second import Lateness


def test_every_arrival_is_in_the_phase_in_which_it_was_due_whole_and_the_generators_part() -> None:
    track = PhaseTrack()
    track.begin(0, 0.0, [10.0], is_open=True)
    track.begin(1, 10.0, [10.0], is_open=True)
    notes = LatenessRecorder(track)
    for number in range(3000):
        # Due just before the second phase begins, and started in it.
        notes.note(9.9 if number % 3 else 10.1, 0.3, 0.002)
    parts = {part.phase: part for part in Lateness.merged(Lateness.all_of(notes.take()))}
    assert {phase: part.delay.count for phase, part in parts.items()} == {0: 2000, 1: 1000}
    assert (parts[0].delay.max_us, parts[0].own.max_us, parts[1].own.count) == (300_000, 2_000, 1000)
    assert Lateness.all_of(notes.take()) == []


def test_an_arrival_is_never_early() -> None:
    notes = LatenessRecorder(PhaseTrack())
    notes.note(5.0, -1e-9, -1e-9)
    (part,) = Lateness.all_of(notes.take())
    assert (part.delay.count, part.delay.max_us, part.own.max_us) == (1, 0, 0)

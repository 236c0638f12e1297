"""A garbage collection may record a dropped response at any moment, also while another request is being recorded."""

from __future__ import annotations

import gc

import pytest

from tests.unit.engine.test_recorder import Recording


class Dropped:
    """A response in a circle, which is recorded when garbage is collected."""

    def __init__(self, recording: Recording, name: str) -> None:
        self.itself = self
        self.recording = recording
        self.name = name

    def __del__(self) -> None:
        self.recording.recorder.record("GET", self.name, 1.0, 2.0, 0)


@pytest.mark.slow
@pytest.mark.parametrize("allocations", range(1, 20))
def test_a_collection_while_an_endpoint_is_named_gives_each_its_own_number(allocations: int) -> None:
    recording = Recording()
    usual = gc.get_threshold()
    gc.collect()
    gc.disable()
    try:
        Dropped(recording, "/dropped")
        gc.set_threshold(allocations)
        gc.enable()
        recording.recorder.record("GET", "/a", 1.0, 2.0, 0)
    finally:
        gc.set_threshold(*usual)
        gc.enable()
        gc.collect()
    _, endpoints, _, _ = recording.recorder.take(None)
    assert sorted(name for _, _, name in endpoints) == ["/a", "/dropped"]
    assert len({number for number, _, _ in endpoints}) == 2

"""Every sampler of the registry writes to a stream that exists, and its charts have names of their own."""

from __future__ import annotations

from harness.recording.streams import STREAMS
from harness.sampling.registry import SAMPLERS


def test_every_sampler_has_a_name_of_its_own() -> None:
    assert len({kind.name for kind in SAMPLERS}) == len(SAMPLERS)


def test_every_sampler_writes_to_a_stream_of_the_registry() -> None:
    assert {kind.stream for kind in SAMPLERS} <= {stream.name for stream in STREAMS}


def test_every_chart_has_an_id_of_its_own() -> None:
    ids = [chart.id for kind in SAMPLERS for chart in kind.charts]
    assert len(set(ids)) == len(ids)

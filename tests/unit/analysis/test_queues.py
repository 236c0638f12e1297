"""Where threads queue on one side only, whatever releases the GIL costs more there: functions differ by more."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from harness.analysis.attribution import attribution_of
from harness.analysis.measurement import measure
from harness.record.measurement import Baseline
from harness.record.profiles import ProfileIndex
from harness.record.run_folder import RunFolder, write_json
from harness.recording import open_recording
from harness.recording.run import read_run
from tests.unit.analysis.test_attribution import LIST, run_of, stacks

RENDER = (*LIST, "render (shop/render.py:12)")


def run_with(parent: Path, name: str, renders: int, *, queue: bool) -> RunFolder:
    """A run whose threads are busy for as long as they use a core, or for twice as long."""
    folder = run_of(parent, name, stacks({RENDER: renders}))
    (python,) = ProfileIndex.load(folder.profiles).profiles
    spans = [replace(span, cpu_s={1: span.cpu_s[1] / (2 if queue else 1)}) for span in python.spans]
    ProfileIndex([python, replace(python, kind="threads", spans=spans)]).save(folder.profiles)
    return folder


@pytest.mark.parametrize(
    ("factor", "queues", "sure"),
    [
        (1.6, (False, False), True),
        (1.6, (True, True), True),
        (1.6, (False, True), False),
        (1.6, (True, False), False),
        (4.0, (False, True), True),
    ],
)
def test_growth_beside_another_queue_is_certain_only_if_it_is_great(
    tmp_path: Path, factor: float, queues: tuple[bool, bool], sure: bool
) -> None:
    before = run_with(tmp_path, "before", 1000, queue=queues[0])
    folder = run_with(tmp_path, "now", int(1000 * factor), queue=queues[1])
    runs = [measure(open_recording(before))]
    kept = Baseline(scenario="flash_sale", profile="default", fingerprint="f1e2d3c4", runs=runs)
    write_json(folder.comparison, kept.model_dump(by_alias=True))
    found = attribution_of(read_run(folder))
    assert [suspect.function for suspect in found.suspects] == ["render"] * sure

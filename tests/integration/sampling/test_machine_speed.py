"""Reference work runs beside the target, in a process of its own that ends with the sampling."""

from __future__ import annotations

import os
import signal
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path

import psutil
import pytest

from harness.plan.model.sampling import Sampling
from harness.plan.model.target import AttachedTarget
from harness.record.measurement import ONLY
from harness.record.resources import READINGS, REFERENCE_WORK
from harness.record.run_folder import RunFolder
from harness.sampling import reference_work
from harness.sampling.machine_speed import MACHINE_SPEED, MachineSpeedSampler
from harness.sampling.reference_work import TASKS
from harness.sampling.sampler import Sampler, SamplingContext
from harness.targets.target import Attached
from tests.support.children import started_with, wait_until
from tests.support.targets import run_folder


def sampler(folder: RunFolder, pid: int | None, builds: int = 1) -> Sampler:
    with socket.create_server(("127.0.0.1", 0)) as server:
        target = Attached(AttachedTarget(url=f"http://127.0.0.1:{server.getsockname()[1]}", pid=pid), ())
    writer = READINGS.writer(folder.resources)
    return MACHINE_SPEED.create(
        SamplingContext([(ONLY, target)] * builds, Sampling(), folder, writer, lambda: [], cores=2)
    )


def workers() -> list[psutil.Process]:
    """The processes of reference work that this one has started."""
    return started_with(reference_work.__file__)


@contextmanager
def sampling(folder: RunFolder, builds: int = 1) -> Iterator[Sampler]:
    found = sampler(folder, os.getpid(), builds)
    found.start()
    try:
        yield found
    finally:
        found.close()


def count_in(folder: RunFolder) -> int:
    """How many readings there are."""
    return len(READINGS.read(folder.resources)) if folder.resources.exists() else 0


@pytest.mark.slow
def test_each_second_has_the_time_of_each_task(tmp_path: Path) -> None:
    folder = run_folder(tmp_path)
    with sampling(folder):
        (worker,) = workers()
        wait_until(lambda: count_in(folder) >= 1, seconds=30)  # its start took more
        began, before = time.monotonic(), worker.cpu_times()
        wait_until(lambda: count_in(folder) >= 4, seconds=30)
        after = worker.cpu_times()
        share = (sum(after[:2]) - sum(before[:2])) / (time.monotonic() - began)
    assert share < 0.05  # clocks of processes tick every 10 ms
    readings = READINGS.read(folder.resources)
    assert {reading.source for reading in readings} == {REFERENCE_WORK}
    for reading in readings:
        assert [*reading.values] == [f"{task.__name__}_us" for task in TASKS]
        assert all(value > 10 for value in reading.values.values())
    assert workers() == []


def test_work_that_ends_is_a_note(tmp_path: Path) -> None:
    with sampling(run_folder(tmp_path)) as found:
        (worker,) = workers()
        worker.send_signal(signal.SIGKILL)
        wait_until(lambda: bool(found.notes), seconds=30)
    assert [note.code for note in found.notes] == ["sampling-ended-early"]


def test_a_target_whose_process_is_unknown_needs_no_speed(tmp_path: Path) -> None:
    assert not isinstance(sampler(run_folder(tmp_path), None), MachineSpeedSampler)
    assert workers() == []


def test_in_a_duet_each_round_is_a_reading_until_the_end(tmp_path: Path) -> None:
    folder = run_folder(tmp_path)
    with sampling(folder, builds=2):
        wait_until(lambda: count_in(folder) >= 10, seconds=30)
        by_then = count_in(folder)
        time.sleep(0.6)
    at_s = [reading.epoch_s for reading in READINGS.read(folder.resources)]
    assert len(at_s) > by_then  # with the rounds since the last second
    assert at_s == sorted(at_s)
    assert sum(now - before < 0.5 for before, now in pairwise(at_s)) > len(at_s) / 2

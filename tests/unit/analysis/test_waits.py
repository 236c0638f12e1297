"""Threads that wait, over requests: the time that a request waits, less what was busy there."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from harness.analysis.profiles import requests_during
from harness.analysis.waits import waits_of
from harness.record.measurement import WaitTime
from harness.record.profiles import Profile, ProfileIndex, ProfileKind, Span, Stack, write_folded
from harness.record.run_folder import RunFolder
from harness.recording.run import read_run
from tests.support.plans import steady
from tests.support.recordings import record_run

SERVED = ("Thread.run (threading.py:982)", "WorkerThread.run (anyio/_backends/_asyncio.py:1124)")
LOCKED = (*SERVED, "get_stock (shop/db.py:31)", "[lock]")


def with_profile(
    folder: RunFolder, kind: ProfileKind, stacks: Mapping[tuple[str, ...], list[int]], phase: int = 0
) -> None:
    """A profile of 5 samples a second, by stack and span of 5 s."""
    folder.cpu.mkdir(exist_ok=True)
    path = folder.cpu / f"{phase}-{kind}.spans.folded"
    spans = max(map(len, stacks.values()))
    parts = [
        Stack((f"span {span}", "pid 1", *frames), weight)
        for frames, weights in stacks.items()
        for span, weight in enumerate(weights)
        if weight
    ]
    write_folded(path, parts)
    relative = str(path.relative_to(folder.path))
    index = ProfileIndex.load(folder.profiles)
    index.profiles.append(
        Profile(
            kind, phase, relative, "samples", 5.0 * spans, 5.0, spans_path=relative, own=["shop/db.py"],
            spans=[Span(5.0 * span, 5.0, 5.0, {1: 1.0}) for span in range(spans)],
        )
    )  # fmt: skip
    index.save(folder.profiles)


def waits(tmp_path: Path, **profiles: Mapping[tuple[str, ...], list[int]]) -> tuple[list[WaitTime] | None, float]:
    """What is found, and the requests meanwhile."""
    folder = record_run(tmp_path, phases=[steady(rate=50, seconds=20)])
    kinds: tuple[ProfileKind, ...] = ("waits", "threads")
    for kind in kinds:
        if kind in profiles:
            with_profile(folder, kind, profiles[kind])
    run = read_run(folder)
    (record,) = run.phases
    return waits_of(run, record), requests_during(record, Profile("waits", 0, "", "samples", 20.0))


def test_threads_that_wait_are_time_per_request(tmp_path: Path) -> None:
    found, requests = waits(tmp_path, waits={LOCKED: [50, 60, 40, 50]})
    assert found is not None
    (wait,) = found
    assert (wait.kind, wait.function, wait.file, wait.line) == ("lock", "get_stock", "shop/db.py", 31)
    assert wait.ms.value == pytest.approx(1000 * 200 / 5 / requests)
    assert wait.ms.high is not None
    assert 0 < wait.ms.low < wait.ms.value < wait.ms.high


def test_tasks_that_wait_are_time_per_request(tmp_path: Path) -> None:
    """As threads, though no source line says so, and none of them can be busy."""
    server = "RequestResponseCycle.run_asgi (uvicorn/protocols/http/h11_impl.py:411)"
    held = ("task", server, "get_stock (shop/db.py:31)", "Lock.acquire (asyncio/locks.py:114)")
    found, requests = waits(tmp_path, waits={held: [50, 60, 40, 50]}, threads={held[1:]: [25, 25, 25, 25]})
    assert found is not None
    (wait,) = found
    assert (wait.kind, wait.function, wait.line) == ("lock", "get_stock", 31)
    assert wait.ms.value == pytest.approx(1000 * 200 / 5 / requests)


def test_busy_threads_on_the_same_line_do_not_wait(tmp_path: Path) -> None:
    """Only sleeping threads are sampled with what their line waits for."""
    found, requests = waits(tmp_path, waits={LOCKED: [50, 50, 50, 50]}, threads={LOCKED[:-1]: [25, 25, 25, 25]})
    assert found is not None
    assert found[0].ms.value == pytest.approx(1000 * 100 / 5 / requests)


def test_the_interval_is_wide_where_spans_differ(tmp_path: Path) -> None:
    def width(name: str, counts: list[int]) -> float:
        found, _ = waits(tmp_path / name, waits={LOCKED: counts})
        assert found is not None
        assert found[0].ms.high is not None
        return found[0].ms.high - found[0].ms.low

    assert width("bursts", [0, 200, 0, 0]) > 3 * width("even", [50, 50, 50, 50])


def test_without_samples_nothing_is_known(tmp_path: Path) -> None:
    assert waits(tmp_path)[0] is None

"""A profile adds up to what the clocks of the target's processes counted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from harness.analysis.profiles import phase_profile
from harness.errors import HarnessError
from harness.record.measurement import PhaseProfile
from harness.record.profiles import Profile, ProfileIndex, Span, Stack, write_folded
from harness.record.run_folder import RunFolder
from harness.recording.run import read_run
from tests.support.plans import steady
from tests.support.recordings import Profiles, record_run

MAIN = "main (app.py:1)"
SEARCH = (MAIN, "search (app.py:5)")
RENDER = (MAIN, "render (app.py:9)")


def recorded(
    parent: Path, by_span: Mapping[tuple[int, int], Mapping[tuple[str, ...], int]], spans: list[Span]
) -> RunFolder:
    """A run whose one phase was sampled like that: by span and process."""
    whole = [Stack(frames, weight) for found in by_span.values() for frames, weight in found.items()]
    folder = record_run(parent, phases=[steady(seconds=20)], profiles=Profiles(cpu={"steady": whole}))
    index = ProfileIndex.load(folder.profiles)
    (profile,) = index.profiles
    assert profile.spans_path is not None
    write_folded(
        folder.path / profile.spans_path,
        [
            Stack((f"span {span}", f"pid {pid}", *frames), weight)
            for (span, pid), found in by_span.items()
            for frames, weight in found.items()
        ],
    )
    ProfileIndex([replace(profile, spans=spans)]).save(folder.profiles)
    return folder


def scaled(folder: RunFolder) -> PhaseProfile:
    run = read_run(folder)
    profile = phase_profile(run, run.phases[0], "cpu")
    assert profile is not None
    return profile


def spans_of(*cpu_s: dict[int, float]) -> list[Span]:
    length_s = 20 / len(cpu_s)
    return [Span(number * length_s, length_s, 100.0, used) for number, used in enumerate(cpu_s)]


def cpu_s(profile: PhaseProfile, key: str) -> float:
    cost_ms = profile.functions[key].cpu_ms
    assert cost_ms is not None
    return cost_ms * profile.requests / 1000


def test_samples_of_a_process_that_waited_for_a_core_are_worth_less(tmp_path: Path) -> None:
    folder = recorded(
        tmp_path, {(0, 1): {SEARCH: 300, RENDER: 100}, (1, 1): {SEARCH: 300, RENDER: 100}}, spans_of({1: 2.0}, {1: 2.0})
    )
    profile = scaled(folder)
    assert cpu_s(profile, "main (app.py)") == pytest.approx(4.0, rel=1e-3, abs=1e-9)
    assert cpu_s(profile, "search (app.py)") == pytest.approx(3.0, rel=1e-3, abs=1e-9)
    assert profile.busy == pytest.approx(2.0, rel=1e-3, abs=1e-9)


def test_what_a_process_used_without_the_gil_is_in_none_of_its_samples(tmp_path: Path) -> None:
    folder = recorded(tmp_path, {(0, 1): {SEARCH: 300, RENDER: 100}}, spans_of({1: 10.0}))
    profile = scaled(folder)
    assert cpu_s(profile, "main (app.py)") == pytest.approx(4.0, rel=1e-3, abs=1e-9)
    assert profile.clock_ms is not None
    assert profile.clock_ms * profile.requests / 1000 == pytest.approx(10.0, rel=1e-3, abs=1e-9)


def test_processes_count_by_their_clocks(tmp_path: Path) -> None:
    """One that is seldom sampled, but uses as much, counts as much."""
    folder = recorded(tmp_path, {(0, 1): {SEARCH: 900}, (0, 2): {RENDER: 300}}, spans_of({1: 3.0, 2: 3.0, 3: 1.0}))
    profile = scaled(folder)
    assert cpu_s(profile, "search (app.py)") == pytest.approx(3.0, rel=1e-3, abs=1e-9)
    assert cpu_s(profile, "render (app.py)") == pytest.approx(3.0, rel=1e-3, abs=1e-9)
    assert profile.clock_ms is not None
    assert profile.clock_ms * profile.requests / 1000 == pytest.approx(7.0, rel=1e-3, abs=1e-9)


def test_how_alike_near_samples_are_is_seen_between_spans(tmp_path: Path) -> None:
    even: dict[tuple[int, int], dict[tuple[str, ...], int]] = {
        (span, 1): {SEARCH: 50, RENDER: 50} for span in range(10)
    }
    uneven: dict[tuple[int, int], dict[tuple[str, ...], int]] = {
        (span, 1): {SEARCH: 90 if span % 2 else 10, RENDER: 10 if span % 2 else 90} for span in range(10)
    }
    spans = spans_of(*({1: 1.0} for _ in range(10)))
    seen = [
        scaled(recorded(tmp_path / name, found, spans)).functions["search (app.py)"]
        for name, found in (("even", even), ("uneven", uneven))
    ]
    assert seen[0].dispersion == pytest.approx(0.0, rel=1e-3, abs=1e-9)
    assert seen[1].dispersion == pytest.approx(10 / 9 * 40**2 / 25, rel=1e-3, abs=1e-9)
    assert seen[0].caller == "main (app.py)"


@pytest.mark.parametrize(
    "line", ["span 7;pid 1;main (app.py:1) 3", "main (app.py:1);f (app.py:2) 3", "span x;pid 1;f 3"]
)
def test_a_damaged_file_of_spans_is_named(tmp_path: Path, line: str) -> None:
    folder = recorded(tmp_path, {(0, 1): {SEARCH: 5}}, spans_of({1: 1.0}))
    profile: Profile = ProfileIndex.load(folder.profiles).profiles[0]
    assert profile.spans_path is not None
    (folder.path / profile.spans_path).write_text(line + "\n")
    with pytest.raises(HarnessError) as caught:
        scaled(folder)
    assert caught.value.code == "profile-damaged"

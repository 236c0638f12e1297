"""Folded stacks become a compact tree: one box a function, small ones joined."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from harness.analysis.measurement import measure
from harness.record.measurement import Baseline
from harness.record.profiles import Stack
from harness.record.run_folder import write_text
from harness.recording import open_recording
from harness.report.contents import read_report
from harness.report.sections.flames import flame_data
from tests.support.judged import judge
from tests.support.plans import steady
from tests.support.recordings import Profiles, record_run


def flame_of(tmp_path: Path, stacks: list[Stack], before: list[Stack] | None = None) -> dict[str, Any]:
    folder = record_run(tmp_path, phases=[steady(5, 3)], profiles=Profiles(cpu={"steady": stacks}))
    if before is not None:
        old = record_run(tmp_path, run_id="old", phases=[steady(5, 3)], profiles=Profiles(cpu={"steady": before}))
        known = Baseline(scenario="s", profile="p", fingerprint="f1e2d3c4", runs=[measure(open_recording(old))])
        write_text(folder.comparison, known.model_dump_json(by_alias=True))
    write_text(folder.summary, judge(folder).to_json())
    flames = flame_data(read_report(folder))
    assert len(flames) == 1
    return flames[0]


def named(flame: dict[str, Any], node: list[Any]) -> list[Any]:
    name, weight, line, children, _ = node
    return [flame["names"][name], weight, line, [named(flame, child) for child in children]]


def test_lines_of_one_function_are_one_box_with_its_heaviest_line(tmp_path: Path) -> None:
    flame = flame_of(tmp_path, [Stack(("f (a.py:1)",), 2), Stack(("f (a.py:9)", "g (b.py:3)"), 5)])
    assert named(flame, flame["tree"]) == ["all", 7, 0, [["f (a.py)", 7, 9, [["g (b.py)", 5, 3, []]]]]]


def test_recursion_counts_once(tmp_path: Path) -> None:
    flame = flame_of(tmp_path, [Stack(("f (a.py:1)", "f (a.py:1)"), 4)])
    assert flame["functions"][flame["names"].index("f (a.py)")] == [4, 4]


def test_frames_too_small_to_see_are_joined(tmp_path: Path) -> None:
    small = [Stack((f"f{number} (a.py:1)",), 1) for number in range(30)]
    flame = flame_of(tmp_path, [Stack(("big (a.py:1)",), 10_000), *small])
    assert [child[:2] for child in named(flame, flame["tree"])[3]] == [["big (a.py)", 10_000], ["…", 30]]


def test_endless_recursion_does_not_break_the_page(tmp_path: Path) -> None:
    flame = flame_of(tmp_path, [Stack(tuple(f"f{depth} (a.py:1)" for depth in range(5000)), 3)])
    assert len(flame["names"]) == 201


def test_the_baseline_is_compared_by_cpu_time_a_request(tmp_path: Path) -> None:
    flame = flame_of(tmp_path, [Stack(("f (a.py:1)",), 60)], [Stack(("f (a.py:1)",), 20)])
    place = flame["names"].index("f (a.py)")
    run_ms = flame["functions"][place][1] * flame["run_ms"]
    base_ms = flame["base"]["functions"][place][1] * flame["base"]["ms"]
    assert run_ms / base_ms == pytest.approx(3.0, rel=0.5)


def test_a_profile_without_samples_is_left_out(tmp_path: Path) -> None:
    folder = record_run(tmp_path, phases=[steady(5, 3)], profiles=Profiles(cpu={"steady": []}))
    write_text(folder.summary, judge(folder).to_json())
    assert flame_data(read_report(folder)) == []

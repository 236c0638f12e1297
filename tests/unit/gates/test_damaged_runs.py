"""A run folder of nonsense, every checksum right: reported in one message with the file, or judged; no traceback."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from harness.errors import HarnessError
from harness.plan.model.target import ShopTarget
from harness.record.frames import FrameReader, FrameWriter
from harness.record.run_folder import RunFolder, write_text
from harness.report import write_reports
from tests.support.judged import judge
from tests.support.plans import steady, stress
from tests.support.recordings import CPU_STACKS, Failing, Profiles, record_run

NONSENSE: list[Any] = [None, "x", -1, 100_000]


@pytest.fixture
def folder(tmp_path: Path) -> RunFolder:
    return record_run(
        tmp_path,
        phases=[steady(5, 2), stress((5, 10), every=1)],
        endpoints={"GET /products": 1.0},
        gates=["p95 < 500ms"],
        failures=[Failing(0.2)],
        events=[(1.0, "note", "something happened")],
        profiles=Profiles(cpu={"steady": CPU_STACKS}),
        held_steps=1,
    )


def judge_and_draw(folder: RunFolder) -> None:
    write_text(folder.summary, judge(folder).to_json())
    write_reports(folder)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["journal", "resources"])
def test_frames_that_make_no_sense(name: str, folder: RunFolder) -> None:
    path = folder.path / name
    frames = list(FrameReader(path).new_frames())
    refused = {}
    fields = {(frame["kind"], key): number for number, frame in reversed(list(enumerate(frames))) for key in frame}
    for field, ((kind, key), number) in enumerate(fields.items()):
        for case, value in enumerate(NONSENSE):
            path.unlink()
            with FrameWriter(path) as writer:
                for frame in (*frames[:number], frames[number] | {key: value}, *frames[number + 1 :]):
                    writer.write(frame)
            try:
                # Drawing takes longer than judging: it meets each field once, each value with a quarter of them.
                (judge_and_draw if case == field % len(NONSENSE) else judge)(folder)
            except HarnessError as error:
                refused[kind] = str(error)
    assert refused.keys() == {kind for kind, _ in fields}
    assert all(name in message for message in refused.values())


@pytest.mark.parametrize(
    "damage",
    [
        lambda plan: plan["targets"].clear(),
        lambda plan: plan["targets"].pop(),
        lambda plan: plan["targets"].reverse(),
        lambda plan: plan["phases"][0]["turns"].pop(),
        lambda plan: plan["phases"][0]["turns"].clear(),
        lambda plan: plan["phases"][0]["turns"].sort(),
        lambda plan: plan["phases"][0]["turns"].__setitem__(0, 2),
        lambda plan: plan["phases"][0]["turns"].__setitem__(0, -1),
        lambda plan: plan["phases"][0]["segments"][0].update(duration_s=0),
        lambda plan: plan["phases"][0]["segments"][0].update(duration_s=-1),
    ],
)
def test_a_plan_whose_turns_do_not_fit_is_damaged(damage: Callable[[Any], None], tmp_path: Path) -> None:
    folder = record_run(tmp_path, phases=[steady(5, 4)], build_b=ShopTarget())
    assert judge(folder).duet is not None
    plan = json.loads(folder.plan.read_text())
    damage(plan)
    folder.plan.write_text(json.dumps(plan))
    with pytest.raises(HarnessError) as raised:
        judge(folder)
    assert (raised.value.code, raised.value.where) == ("file-damaged", str(folder.plan))


def test_a_phase_of_a_kind_that_another_version_knows_is_drawn(folder: RunFolder) -> None:
    summary = json.loads(judge(folder).to_json())
    for phase in summary["phases"]:
        phase["kind"] = "wave"
    folder.summary.write_text(json.dumps(summary))
    write_reports(folder)
    assert folder.report.exists()


@pytest.mark.slow
@pytest.mark.parametrize(("case", "value"), list(enumerate([*NONSENSE, []])))
def test_an_index_of_profiles_that_makes_no_sense(case: int, value: Any, folder: RunFolder) -> None:
    whole = json.loads(folder.profiles.read_text())
    for field, key in enumerate(whole["profiles"][0]):
        folder.profiles.write_text(json.dumps(whole | {"profiles": [whole["profiles"][0] | {key: value}]}))
        with suppress(HarnessError):  # drawn once for each field, as above
            (judge_and_draw if case == field % (len(NONSENSE) + 1) else judge)(folder)
    for damaged in (value, {"profiles": value}, {"profiles": [value]}):
        folder.profiles.write_text(json.dumps(damaged))
        with pytest.raises(HarnessError) as reported:
            judge_and_draw(folder)
        assert reported.value.where == str(folder.profiles)


@pytest.mark.parametrize("name", ["journal", "resources", "profiles.json", "environment.json"])
def test_a_file_that_is_a_pipe_is_not_waited_for(name: str, folder: RunFolder) -> None:
    path = folder.path / name
    path.unlink()
    os.mkfifo(path)
    with pytest.raises(HarnessError) as reported:
        judge_and_draw(folder)
    assert reported.value.where == str(path)

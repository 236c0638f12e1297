"""Copies of recorded runs in which a function uses more CPU time than it did."""

from __future__ import annotations

import shutil
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from harness.analysis.functions import parse_frame
from harness.record.profiles import Profile, ProfileIndex, Stack, read_folded, write_folded
from harness.record.run_folder import RunFolder


def with_growth(original: RunFolder, copy: Path, rng: np.random.Generator, growth: float) -> tuple[RunFolder, str]:
    """A copy of a run in which a function of its own code has more samples; the copy, and the function."""
    shutil.copytree(original.path, copy)
    folder = RunFolder.open(copy)
    index = ProfileIndex.load(folder.profiles)
    profile = [profile for profile in index.profiles if profile.kind == "cpu"][-1]
    assert profile.spans_path is not None
    stacks = read_folded(folder.path / profile.spans_path)
    own: dict[str, int] = defaultdict(int)
    for stack in stacks:
        frame = parse_frame(stack.frames[-1])
        if frame.file in profile.own and not frame.function.startswith("<"):
            own[frame.key] += stack.weight
    chosen = str(rng.choice(sorted(key for key, weight in own.items() if weight >= 3)))
    places = [stack for stack in stacks if parse_frame(stack.frames[-1]).key == chosen]
    chances = np.array([stack.weight for stack in places]) / own[chosen]
    total = sum(stack.weight for stack in stacks)
    used_s = sum(used for span in profile.spans for used in span.cpu_s.values())
    # Of the CPU time, what threads that hold the GIL used.
    sampled = min(1.0, total / profile.spans[0].rate_hz / used_s)
    by_process: dict[tuple[str, ...], int] = defaultdict(int)
    for stack in stacks:
        by_process[stack.frames[:2]] += stack.weight
    grown, added = list(stacks), np.zeros(len(profile.spans))
    for process, weight in by_process.items():
        more = int(rng.poisson(growth * weight / sampled))
        added[int(process[0].split()[1])] += more
        for stack, count in zip(places, rng.multinomial(more, chances).tolist(), strict=True):
            grown += [Stack((*process, *stack.frames[2:]), count)] if count else []
    _write(folder, index, profile, grown, added / total * sampled)
    return folder, chosen


def _write(
    folder: RunFolder, index: ProfileIndex, profile: Profile, stacks: Sequence[Stack], added: np.ndarray
) -> None:
    assert profile.spans_path is not None
    write_folded(folder.path / profile.spans_path, list(stacks))
    whole: dict[tuple[str, ...], int] = defaultdict(int)
    for stack in stacks:
        whole[stack.frames[2:]] += stack.weight
    write_folded(folder.path / profile.path, [Stack(frames, weight) for frames, weight in whole.items()])
    used_s = sum(used for span in profile.spans for used in span.cpu_s.values())
    spans = []
    for span, more in zip(profile.spans, added.tolist(), strict=True):
        before_s = sum(span.cpu_s.values())
        spans.append(
            replace(span, cpu_s={pid: used * (1 + more * used_s / before_s) for pid, used in span.cpu_s.items()})
        )
    changed = replace(profile, spans=spans)
    ProfileIndex([changed if each is profile else each for each in index.profiles], index.notes).save(folder.profiles)

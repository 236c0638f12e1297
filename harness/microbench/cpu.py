"""Profiles the slowest benchmarks, each again in its own session under py-spy; their times do not count.

Of what py-spy sees of a whole pytest only what lies below pytest-benchmark's loop is kept: the function's own cost.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

from harness.messages import Message, message
from harness.microbench.request import Request
from harness.microbench.session import Session, pytest_command
from harness.plan.bench import BenchPlan
from harness.record.profiles import Profile, Stack, read_folded, write_folded
from harness.record.run_folder import RunFolder
from harness.sampling.cpu import CpuSampler
from harness.sampling.sampling_rate import SamplingRate

SLOWEST = 3
"""How many benchmarks are profiled."""

_RATE_HZ = 250
_LOOP = re.compile(r"\brunner \(pytest_benchmark/fixture\.py")
_OPTIONS = ("--benchmark-only", "--benchmark-enable", "--benchmark-quiet", "--benchmark-max-time=2")
_FEWEST = 20
_PAUSE_S = 0.5
"""How long the tests wait for py-spy, which needs about 0.3 s before its first sample."""


def profile_benchmarks(
    tests: Sequence[tuple[int, str]],
    plan: BenchPlan,
    folder: RunFolder,
    *,
    interrupts: Callable[[], int],
    on_progress: Callable[[str], None],
) -> tuple[list[Profile], list[Message]]:
    """Profiles of ``tests`` (each with its index in the suite, which is the profile's ``phase``), and notes."""
    profiles: list[Profile] = []
    notes: dict[Message, None] = {}
    for index, test in tests:
        if interrupts():
            break
        on_progress(f"profiling {test}")
        found, found_notes = _profile(index, test, plan, folder, interrupts)
        profiles += found
        notes |= dict.fromkeys(found_notes)
    return profiles, list(notes)


def _profile(
    index: int, test: str, plan: BenchPlan, folder: RunFolder, interrupts: Callable[[], int]
) -> tuple[list[Profile], list[Message]]:
    scratch = folder.path / "profiled"
    scratch.mkdir()
    report = scratch / "suite.json"
    request = Request(
        report=str(report.absolute()), secret_names=plan.secret_names, paths=plan.paths, only=(test,), pause_s=_PAUSE_S
    ).write(scratch / "request.json")
    try:
        with Session(pytest_command(plan, request, _OPTIONS), folder.log, lambda _: None) as session:
            sampler = CpuSampler(session.pid, SamplingRate(_RATE_HZ, cores=None), folder)
            # Not before: py-spy cannot read a Python that is starting, or about to exec another.
            session.wait_for(report.exists, interrupts)
            sampler.begin_phase(index, test)
            session.wait(interrupts)
            profiles = sampler.close()
    finally:
        for file in scratch.iterdir():
            file.unlink()
        scratch.rmdir()
    usable = [profile for profile in profiles if _cut(folder.path / profile.path) >= _FEWEST]
    notes = sampler.notes
    if profiles and not usable:
        notes.append(message("cpu-benchmark-too-short", test=test))
    return usable, notes


def _cut(path: Path) -> int:
    """Keep of each stack what is below the benchmark's loop, drop all others; returns how many samples are kept."""
    weights: Counter[tuple[str, ...]] = Counter()
    for stack in read_folded(path):
        inside = [at for at, frame in enumerate(stack.frames) if _LOOP.search(frame)]
        if inside:
            # Nothing below it: a C function, which py-spy does not see.
            weights[stack.frames[inside[-1] + 1 :] or stack.frames[inside[-1] :]] += stack.weight
    write_folded(path, [Stack(frames, weight) for frames, weight in weights.items()])
    return weights.total()

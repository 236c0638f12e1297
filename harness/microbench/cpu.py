"""Profiles the slowest benchmarks in sessions of their own under py-spy; their times do not count.

Of what py-spy sees of a whole pytest only what lies below pytest-benchmark's loop is kept: the function's own cost.
"""

from __future__ import annotations

import re
import tempfile
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from harness.messages import message
from harness.microbench.request import Request
from harness.microbench.session import Session, pytest_command
from harness.plan.bench import BenchPlan
from harness.record.profiles import Profile, ProfileIndex, Stack, read_folded, write_folded
from harness.record.run_folder import RunFolder
from harness.sampling.cpu import CpuSampler, rated
from harness.sampling.spans import Tier

SLOWEST = 3
"""How many benchmarks are profiled."""

_RATE_HZ = 250
_BUSY_THREADS = Tier("cpu", "", threads="busy", max_hz=_RATE_HZ, min_hz=_RATE_HZ, overhead_share=1.0, span_s=60.0)
"""Native code counts, too, and nothing else runs that it could be confused with."""
_LOOP = re.compile(r"\brunner \(pytest_benchmark/fixture\.py")
_OPTIONS = ("--benchmark-only", "--benchmark-enable", "--benchmark-quiet", "--benchmark-max-time=2")
_FEWEST = 20
_PAUSE_S = 0.5
"""How long the tests wait for py-spy, which needs about 0.3 s before its first sample."""


def profile_benchmarks(
    tests: Sequence[tuple[int, str]],
    plan: BenchPlan,
    folder: RunFolder,
    index: ProfileIndex,
    *,
    interrupts: Callable[[], int],
    on_progress: Callable[[str], None],
) -> None:
    """Add profiles of ``tests`` (each with its number in the suite, which is the profile's ``phase``) to ``index``."""
    for number, test in tests:
        if interrupts():
            break
        on_progress(f"profiling {test}")
        with tempfile.TemporaryDirectory(dir=folder.path) as scratch:
            sampler, profiles = _sampled(number, test, plan, folder, Path(scratch).absolute(), interrupts)
        usable = [cut for profile in profiles if (cut := _without_spans(profile, folder)) is not None]
        index.profiles += usable
        index.notes += [note for note in sampler.notes if note not in index.notes]
        if profiles and not usable:
            index.notes.append(message("cpu-benchmark-too-short", test=test))


def _sampled(
    number: int, test: str, plan: BenchPlan, folder: RunFolder, scratch: Path, interrupts: Callable[[], int]
) -> tuple[CpuSampler, list[Profile]]:
    report = scratch / "suite.json"
    request = Request(
        report=str(report), secret_names=plan.secret_names, paths=plan.paths, only=(test,), pause_s=_PAUSE_S
    ).write(scratch / "request.json")
    with Session(pytest_command(plan, request, _OPTIONS), folder.log, lambda _: None, request) as session:
        sampler = CpuSampler(lambda: session.pid, rated((_BUSY_THREADS,), None), folder)
        # Not before: py-spy cannot read a Python that is starting, or about to exec another.
        session.wait_for(report.exists, interrupts)
        sampler.begin_phase(number, test)
        session.wait(interrupts)
        return sampler, sampler.close()


def _without_spans(profile: Profile, folder: RunFolder) -> Profile | None:
    """The profile below the benchmark's loop, in one file; None if it has too few samples."""
    if profile.spans_path is not None:
        (folder.path / profile.spans_path).unlink()
    if _cut(folder.path / profile.path) < _FEWEST:
        return None
    return replace(profile, spans_path=None, spans=[])


def _cut(path: Path) -> int:
    """Keep the part of each stack below the benchmark's loop, and drop other stacks; the number of kept samples."""
    weights: Counter[tuple[str, ...]] = Counter()
    for stack in read_folded(path):
        inside = [at for at, frame in enumerate(stack.frames) if _LOOP.search(frame)]
        if inside:
            # Nothing below it: a C function, which py-spy does not see.
            weights[stack.frames[inside[-1] + 1 :] or stack.frames[inside[-1] :]] += stack.weight
    write_folded(path, [Stack(frames, weight) for frames, weight in weights.items()])
    return weights.total()

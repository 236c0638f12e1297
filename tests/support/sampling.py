"""Sessions that sample a target, without a load."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

from harness.plan.model.phase import Phase
from harness.plan.model.run import RunPlan
from harness.plan.model.sampling import Sampling
from harness.plan.model.target import PlannedTarget, Variant
from harness.record.measurement import ONLY
from harness.record.profiles import ProfileIndex, read_folded
from harness.record.run_folder import RunFolder
from harness.sampling.session import SamplingSession
from harness.targets.start import start_target
from harness.targets.target import Target as RunningTarget
from tests.support.children import wait_until
from tests.support.plans import make_plan

SPINNING = """
import threading, time

def spin():
    while True:
        for _ in range(200_000): pass
        time.sleep(0.01)

threading.Thread(target=spin, daemon=True).start()
serve(sys.argv[1])
"""


def plan(target: PlannedTarget, *kinds: str, sampling: Sampling | None = None) -> RunPlan:
    phases = tuple(Phase(name=f"the {kind}", kind=kind, model="closed", description="") for kind in kinds)
    own = {"targets": (Variant(target=target),), "sampling": sampling or Sampling()}
    return make_plan(phases).model_copy(update=own)


def sampling(
    run: RunPlan, target: RunningTarget, folder: RunFolder, generator_pids: Callable[[], list[int]] = list
) -> SamplingSession:
    return SamplingSession(run.phases, run.sampling, [(ONLY, target)], folder, generator_pids, cores=2)


def codes(index: ProfileIndex) -> list[str]:
    return [note.code for note in index.notes]


def run_phases(session: SamplingSession, *seconds: float, first: int = 0) -> None:
    for index, duration_s in enumerate(seconds, first):
        session.phase_started(index)
        time.sleep(duration_s)
        session.phase_ended(index)


def sampled_through(run: RunPlan, folder: RunFolder, *seconds: float) -> ProfileIndex:
    """What is sampled of a run's target in phases of that many seconds."""
    with start_target(run.target, folder) as target, sampling(run, target, folder) as session:
        run_phases(session, *seconds)
    return session.index


def log_of(folder: RunFolder, span: int, target: RunningTarget, build: str = "") -> Path:
    """What py-spy says in one span of the first phase."""
    return folder.cpu / f"0-the_steady{build}.{span}.{target.pid}.log"


def span_began(folder: RunFolder, span: int, target: RunningTarget, build: str = "") -> bool:
    """Whether the span has begun."""
    log = log_of(folder, span, target, build)
    return log.exists() and b"Sampling process" in log.read_bytes()


def run_sampled_phase(
    session: SamplingSession, folder: RunFolder, target: RunningTarget, seconds: float, builds: Sequence[str] = ("",)
) -> None:
    """The first phase. It lasts so long from when py-spy samples, which on a busy machine takes a while to start."""
    session.phase_started(0)
    wait_until(lambda: all(span_began(folder, 0, target, build) for build in builds))
    time.sleep(seconds)
    session.phase_ended(0)


def by_function(folder: RunFolder, index: ProfileIndex, kind: str) -> Counter[str]:
    """Weight of each innermost function over all profiles of ``kind``."""
    weights: Counter[str] = Counter()
    for profile in index.profiles:
        if profile.kind == kind:
            for stack in read_folded(folder.path / profile.path):
                weights[stack.frames[-1].partition(":")[0]] += stack.weight
    return weights

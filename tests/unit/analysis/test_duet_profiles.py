"""In a duet, build A is the baseline of build B's profile and memory, which ran in the same seconds."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest

from harness.analysis.attribution import attribution_of
from harness.analysis.profiles import phase_profile
from harness.plan.model.target import CommandTarget
from harness.record.profiles import Stack
from harness.record.run_folder import RunFolder
from harness.recording.run import read_run
from tests.support.judged import judge
from tests.support.plans import steady
from tests.support.recordings import Profiles, record_run

MIB = 1 << 20
ROOT = ("main (app.py:12)", "serve (server.py:60)")
USUAL = {(*ROOT, "search (app.py:80)"): 900, (*ROOT, "render (app.py:30)"): 900, (*ROOT, "log (app.py:9)"): 200}


def stacks(seed: int, **more: int) -> list[Stack]:
    rng = np.random.default_rng(seed)
    weights = USUAL | {(*ROOT, f"{name} (app.py:99)"): weight for name, weight in more.items()}
    return [Stack(frames, int(rng.poisson(weight))) for frames, weight in weights.items()]


def duet(
    parent: Path,
    of_a: list[Stack],
    of_b: list[Stack],
    *,
    gates: tuple[str, ...] = (),
    rss_mib: float = 100,
    starts: int = 1,
) -> RunFolder:
    """Both builds do the same; build B's memory grows to ``rss_mib``."""

    def sampled(second: float) -> Mapping[str, Mapping[str, float]]:
        held = {"a": 100.0, "b": 100 + (rss_mib - 100) * second / 40}
        return {f"build {name}": {"cpu_s": second / 10, "rss_bytes": mib * MIB} for name, mib in held.items()}

    return record_run(
        parent,
        phases=[steady(seconds=40)],
        gates=gates,
        endpoints={"GET /products": 1.0},
        target=CommandTarget(command="old"),
        build_b=CommandTarget(command="new"),
        starts=starts,
        profiles=Profiles(cpu={"steady (build A)": of_a, "steady (build B)": of_b}),
        sampled=sampled,
    )


def test_a_function_that_costs_build_b_more_is_named(tmp_path: Path) -> None:
    run = read_run(duet(tmp_path, stacks(1), stacks(2, tax=1500)))
    (suspect,) = attribution_of(run).suspects
    assert (suspect.function, suspect.share_baseline) == ("tax", 0)
    a, b = (phase_profile(run, record, "cpu") for record in run.phases)
    assert a is not None
    assert b is not None
    # Each build's samples are over the requests of that build.
    assert a.requests + b.requests == pytest.approx(sum(record.table.requests.sum() for record in run.phases), rel=0.02)
    assert b.samples > a.samples + 1000


def test_a_profile_is_that_of_one_start_and_of_its_requests(tmp_path: Path) -> None:
    run = read_run(duet(tmp_path, stacks(1), stacks(2), starts=2))
    profile = phase_profile(run, run.phases[0], "cpu")
    assert profile is not None
    assert profile.requests == pytest.approx(run.phases[0].table.requests.sum() / 2, rel=0.05)


def test_two_profiles_of_one_build_name_no_function(tmp_path: Path) -> None:
    assert attribution_of(read_run(duet(tmp_path, stacks(1), stacks(2)))).suspects == []


def test_the_memory_of_each_build_is_measured_and_gated(tmp_path: Path) -> None:
    gates = ("rss_max <= baseline + 20%", "rss_growth < 10MB/min", "rss_growth <= baseline + 10MB/min")

    def statuses(name: str, rss_mib: float) -> list[str]:
        summary = judge(duet(tmp_path / name, stacks(1), stacks(2), gates=gates, rss_mib=rss_mib))
        (memory,) = [change for change in summary.changes if change.metric == "rss_max"]
        assert memory.baseline == pytest.approx(100 * MIB)
        assert memory.observed == pytest.approx(rss_mib * MIB, rel=0.02)
        return [gate.status for gate in summary.gates]

    assert statuses("same", 100) == ["pass"] * 3
    assert statuses("leaking", 150) == ["fail"] * 3
    assert statuses("larger", 121)[0] == "inconclusive"


def test_users_and_iterations_are_those_of_each_build(tmp_path: Path) -> None:
    run = read_run(duet(tmp_path, stacks(1), stacks(2)))
    summary = judge(run.folder)
    # One worker of each build, with half of the 50 users that the recording has.
    assert [(phase.variant, phase.users_max) for phase in summary.phases] == [("a", 25), ("b", 25)]
    whole = sum(state.iterations for second in run.journal.seconds for state in second.workers)
    assert sum(phase.iterations for phase in summary.phases) == pytest.approx(whole, rel=0.05)

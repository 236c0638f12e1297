"""How often py-spy samples follows from what its samples cost."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from harness.sampling.cpu import gil_tier, rated
from harness.sampling.sampling_rate import CpuTime, SamplingRate
from tests.support.children import dying_with_the_tests, killed_at_end


@pytest.mark.parametrize(
    ("sample_ms", "hz"),
    [
        (0.1, 100),  # a thousand samples would be allowed
        (2, 50),
        (5, 20),
        (40, 10),  # 2.5 would be allowed
    ],
)
def test_all_samples_together_take_a_share_of_the_machine(sample_ms: float, hz: int) -> None:
    rate = SamplingRate(100, cores=2, share=0.05, min_hz=10)
    assert rate.hz == 100
    rate.update(sample_ms / 1000 * 20, 20)
    assert rate.hz == hz
    assert hz in (100, 10) or hz * sample_ms / 1000 == pytest.approx(2 * 0.05)


@pytest.mark.parametrize("max_hz", [1, 5, 30])
def test_never_more_often_than_requested(max_hz: int) -> None:
    rate = SamplingRate(max_hz, cores=64, share=0.05, min_hz=10)
    assert rate.hz == max_hz
    rate.update(1e-9, rate.hz)
    assert rate.hz == max_hz
    rate.update(1e9, rate.hz)
    assert rate.hz <= max_hz


@pytest.mark.parametrize(("max_overhead", "hz"), [(0.02, 20), (0.05, 50), (0.5, 100)])
def test_a_higher_overhead_buys_more_samples(max_overhead: float, hz: int) -> None:
    ((_, rate),) = rated((gil_tier(100),), cores=2, max_overhead=max_overhead)
    rate.update(0.0014 * 100, 100)
    assert rate.hz == hz


def test_three_times_the_share_is_too_expensive() -> None:
    rate = SamplingRate(100, cores=4, share=0.05, min_hz=10)
    assert not rate.is_too_expensive(0.6)
    assert rate.is_too_expensive(0.61)


def test_the_builds_of_a_duet_are_sampled_at_one_rate_that_all_of_them_can_bear() -> None:
    rate = SamplingRate(100, cores=2, share=0.05, min_hz=10, targets=2)
    rate.update(0.2, 100, target=7)
    assert (rate.is_known, rate.hz) == (False, 100)
    rate.update(0.1, 100, target=8)
    assert (rate.is_known, rate.hz) == (True, 33)
    rate.update(0.4, 20, target=7)
    assert rate.hz == 33
    assert not rate.is_too_expensive(0.15)
    assert rate.is_too_expensive(0.16)


def test_sampling_may_cost_more_while_nothing_is_measured() -> None:
    rate = SamplingRate(250, cores=None, share=0.05, min_hz=10)
    assert rate.hz == 250
    rate.update(1.0, 250)
    assert rate.hz == 250
    assert not rate.is_too_expensive(1.0)


def test_what_a_process_takes_is_counted_with_all_its_threads_those_that_have_ended_too() -> None:
    code = """
import threading, time
def spin():
    while time.thread_time() < 0.15: pass
threads = [threading.Thread(target=spin) for _ in range(2)]
for thread in threads: thread.start()
for thread in threads: thread.join()
print(flush=True)
input()
"""
    command = dying_with_the_tests([sys.executable, "-c", code])
    with killed_at_end(subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)) as process:
        assert process.stdout is not None
        begin = CpuTime(0.0, 0.0)
        process.stdout.readline()
        taken = CpuTime.of(process.pid)
    assert taken is not None
    assert taken.taken_s >= 0.3
    assert taken.cores_since(begin) == taken.taken_s / taken.at_s
    assert CpuTime.of(process.pid) is None
    assert CpuTime.of(os.getpid()) is not None

"""What a worker used of its core, and what was taken from it: read from the kernel's own files."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from harness.cpu_meter import CpuMeter


@pytest.fixture
def proc(tmp_path: Path) -> Path:
    folder = tmp_path / "proc"
    (folder / "self").mkdir(parents=True)
    return folder


def wait(meter: CpuMeter, seconds: float) -> None:
    meter.read()
    time.sleep(seconds)


def quota(folder: Path, text: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "cpu.stat").write_text(text)
    return folder / "cpu.stat"


def test_it_measures_what_this_process_uses() -> None:
    meter = CpuMeter()
    until_s = time.thread_time() + 0.1
    while time.thread_time() < until_s:
        pass
    shares = meter.read()
    assert shares.used > 0
    # It did nothing but run: what it did not use it waited for.
    assert shares.used + shares.starved + shares.throttled + shares.stolen > 0.5


def test_run_queue_and_stolen_time_are_shares_of_the_time_since(proc: Path, tmp_path: Path) -> None:
    (proc / "self/schedstat").write_text("5 1000000000 9")
    (proc / "stat").write_text("cpu  100 0 100 700 0 0 0 100 50 0\ncpu0 …\n")
    meter = CpuMeter(proc, tmp_path)
    wait(meter, 0.05)
    (proc / "self/schedstat").write_text("5 2000000000 9")  # a whole second within some 50 ms: all of it
    (proc / "stat").write_text("cpu  130 0 110 730 0 0 0 130 60 0\n")
    shares = meter.read()
    assert shares.starved == 1
    assert shares.stolen == pytest.approx(0.3)
    assert meter.read()[1:] == (0, 0, 0)


@pytest.mark.parametrize(
    ("cgroup", "folder", "text"),
    [
        ("0::/", "", "usage_usec 5\nnr_throttled 2\nthrottled_usec {usec}\n"),
        ("0::/pod/box", "pod", "throttled_usec {usec}\n"),
        ("0::/not/mounted/here", "", "throttled_usec {usec}\n"),
        ("4:memory:/x\n1:cpu,cpuacct:/box", "cpu/box", "throttled_time {usec}000\n"),
    ],
)
def test_a_quota_is_found_in_any_group_above(proc: Path, tmp_path: Path, cgroup: str, folder: str, text: str) -> None:
    (proc / "self/cgroup").write_text(cgroup + "\n")
    file = quota(tmp_path / "cgroup" / folder, text.format(usec=1_000_000))
    meter = CpuMeter(proc, tmp_path / "cgroup")
    wait(meter, 0.01)
    assert meter.read().throttled == 0
    file.write_text(text.format(usec=3_000_000))
    assert meter.read().throttled == 1


def test_without_the_kernels_figures_nothing_counts_as_taken(tmp_path: Path) -> None:
    meter = CpuMeter(tmp_path, tmp_path)
    assert meter.read()[1:] == (0, 0, 0)

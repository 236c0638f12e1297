"""Measures what CPU sampling costs a target: without py-spy, at a fixed rate, as the harness does.

The embedded shop serves 8 users without wait times, while each round measures all three ways. Each figure is compared
with the one of the same round without py-spy.

    uv run python benchmarks/sampling.py --rounds 5
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import click

from benchmarks.generators import getter
from benchmarks.load import HarnessLoad, closed_phase, open_phase
from benchmarks.output import Spread, run_command, show
from benchmarks.processes import two_cores, wait_until
from harness.plan.model.phase import Phase
from harness.prctl import die_with_parent
from harness.record.run_folder import RunFolder
from harness.sampling.child import tool
from harness.sampling.cpu import THREADS_HZ, CpuSampler, gil_tier, rated, threads_tier, waits_tier
from harness.sampling.sampling_rate import CpuTime
from harness.targets.health import free_port
from harness.targets.machine import usable_cores

FIXED_HZ = 100
USERS, SHORT_RATE = 8, 100.0
SETTLING_S, SHORT_SETTLING_S = 2.5, 1.5
"""Time for py-spy to start."""
_SPARE_S = 60.0


@dataclass(frozen=True)
class Window:
    """A few seconds with one way of sampling. ``cores`` is the CPU use of py-spy."""

    requests_s: float
    rate_hz: float
    cores: float


@contextmanager
def _shop() -> Iterator[tuple[str, int]]:
    """Run a shop for a ``with`` block; yields its URL and process id."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    settings = {name: value for name, value in os.environ.items() if not name.startswith("SHOP_")}
    process = subprocess.Popen(
        [sys.executable, "-m", "harness.shop", "--port", str(port)], env=settings, preexec_fn=die_with_parent
    )
    try:
        wait_until(lambda: _is_up(url), "the shop", 30)
        yield url, process.pid
    finally:
        process.terminate()
        process.wait()


def _is_up(url: str) -> bool:
    try:
        return _get_json(f"{url}/health") is not None
    except OSError:
        return False


def _get_json(url: str) -> object:
    with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(url, timeout=10) as response:
        return json.load(response)


def _served(url: str) -> int:
    """How many requests the shop has served."""
    counts = _get_json(f"{url}/served")
    assert isinstance(counts, dict)
    return sum(entry["count"] for entry in counts["requests"])


def _requests_s(url: str, seconds: float) -> float:
    before_s, before = time.monotonic(), _served(url)
    time.sleep(seconds)
    return (_served(url) - before) / (time.monotonic() - before_s)


def _without(url: str, _pid: int, settling_s: float, seconds: float) -> Window:
    time.sleep(settling_s)
    return Window(_requests_s(url, seconds), 0, 0)


def _at_a_fixed_rate(url: str, pid: int, settling_s: float, seconds: float) -> Window:
    py_spy = tool("py-spy")
    if py_spy is None:
        raise click.ClickException("py-spy is not installed for this Python (pip install py-spy)")
    with tempfile.TemporaryDirectory() as folder:
        command = [py_spy, "record", "--nonblocking", "--subprocesses", "--full-filenames", "--pid", str(pid)]
        command += ["--rate", str(FIXED_HZ), "--duration", "unlimited", "--format", "raw", "--output", f"{folder}/raw"]
        process = subprocess.Popen(
            command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, preexec_fn=die_with_parent
        )
        try:
            time.sleep(settling_s)
            before = CpuTime.of(process.pid)
            requests_s = _requests_s(url, seconds)
            end = CpuTime.of(process.pid)
        finally:
            process.kill()
            process.wait()
    if before is None or end is None:
        raise click.ClickException("py-spy ended at once (`harness doctor` finds the reason)")
    return Window(requests_s, FIXED_HZ, end.cores_since(before))


def _as_the_harness_does(url: str, pid: int, settling_s: float, seconds: float) -> Window:
    with tempfile.TemporaryDirectory() as folder:
        tiers = rated((gil_tier(FIXED_HZ), threads_tier(THREADS_HZ), waits_tier(THREADS_HZ)), usable_cores())
        sampler = CpuSampler(lambda: pid, tiers, RunFolder.create(Path(folder), "run"))
        sampler.begin_phase(0, "steady")
        try:
            time.sleep(settling_s)
            requests_s = _requests_s(url, seconds)
        finally:
            profiles = sampler.close()
    if not profiles or profiles[0].rate_hz is None:
        raise click.ClickException(f"the harness took no samples ({'; '.join(map(str, sampler.notes))})")
    return Window(requests_s, profiles[0].rate_hz, sum(profile.cores or 0 for profile in profiles))


WAYS: dict[str, Callable[[str, int, float, float], Window]] = {
    "without": _without,
    f"{FIXED_HZ} a second": _at_a_fixed_rate,
    "as the harness does": _as_the_harness_does,
}


def _measure(
    rounds: int, settling_s: float, seconds: float, load_for: Callable[[float], Phase]
) -> dict[str, list[Window]]:
    windows: dict[str, list[Window]] = {way: [] for way in WAYS}
    with _shop() as (url, pid), tempfile.TemporaryDirectory() as folder:
        scenario = getter(Path(folder), path="/products?page=3")
        longest_s = rounds * len(WAYS) * (settling_s + 2 * seconds) + _SPARE_S
        load = HarnessLoad(Path(folder), scenario, [load_for(longest_s)], url, two_cores()[0])
        try:
            wait_until(lambda: load.phases_started() == 1, "the load", 30)
            for _ in range(rounds):
                for way, measure in WAYS.items():
                    windows[way].append(measure(url, pid, settling_s, seconds))
                    if not load.running():
                        raise click.ClickException("the load ended before the last round")
        finally:
            load.end()
    return windows


@click.command()
@click.option("--rounds", default=5, show_default=True, type=click.IntRange(1, 50))
@click.option("--seconds", default=4.0, show_default=True, type=click.FloatRange(0.2, 60), help="of each measurement")
@click.option("--short", is_flag=True, help="check in a few seconds that it works")
def main(rounds: int, seconds: float, short: bool) -> None:
    """Measure what py-spy costs a busy target, at a fixed rate and as the harness samples."""
    if short:
        windows = _measure(1, SHORT_SETTLING_S, 0.5, partial(open_phase, SHORT_RATE, max_users=USERS))
    else:
        windows = _measure(rounds, SETTLING_S, seconds, partial(closed_phase, USERS))
    usual = [window.requests_s for window in windows["without"]]
    ways = {}
    for way, seen in windows.items():
        ways[way] = {
            "requests_s": Spread.of(window.requests_s for window in seen),
            "of_usual": Spread.of(window.requests_s / other for window, other in zip(seen, usual, strict=True)),
            "rate_hz": Spread.of(window.rate_hz for window in seen),
            "cores": Spread.of(window.cores for window in seen),
        }
    show(
        f"The shop under {USERS} users without wait times, sampled by py-spy; median (least–greatest) of the rounds",
        ["py-spy", "requests/s", "relative", "samples/s", "cores"],
        [
            [
                way,
                figures["requests_s"].text(),
                figures["of_usual"].text(2),
                figures["rate_hz"].text(),
                figures["cores"].text(2),
            ]
            for way, figures in ways.items()
        ],
        {"benchmark": "sampling", "ways": ways},
    )


if __name__ == "__main__":
    run_command(main)

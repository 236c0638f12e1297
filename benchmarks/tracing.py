"""Measures what tracing costs a target: without OpenTelemetry, instrumented, some or all traced.

The embedded shop serves 8 users without wait times. Each round measures all four ways one after the other, and compares
them. Instrumentation runs in every request; spans are recorded for those that the harness has traced.

    uv run python benchmarks/tracing.py --rounds 5
"""

from __future__ import annotations

import json
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import click
import psutil

from benchmarks.generators import getter
from benchmarks.load import HarnessLoad, closed_phase, open_phase
from benchmarks.output import Spread, run_command, show
from benchmarks.processes import two_cores, wait_until
from harness.plan.model.phase import Phase
from harness.plan.model.sampling import TRACED_SHARE, TraceSampling
from harness.plan.model.target import ShopTarget
from harness.record.run_folder import RunFolder
from harness.sampling.otlp_receiver import OtlpReceiver
from harness.targets.start import start_target
from harness.targets.target import Target
from harness.targets.tracing import Tracing

USERS, SHORT_RATE = 8, 100.0
PATH = "/products?page=3"
WAYS: dict[str, float | None] = {
    "without OpenTelemetry": None,
    "instrumented, none traced": 0.0,
    "instrumented, as the harness traces": TRACED_SHARE,
    "instrumented, all traced": 1.0,
}
_INSTRUMENTED = "instrumented, none traced"


@dataclass(frozen=True)
class Window:
    """A few seconds: requests per second, and CPU time of the target per request."""

    requests_s: float
    cpu_us: float


def _served(url: str) -> int:
    with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(f"{url}/served", timeout=10) as response:
        return sum(entry["count"] for entry in json.load(response)["requests"])


def _cpu_s(pid: int) -> float:
    root = psutil.Process(pid)
    return sum(sum(process.cpu_times()[:2]) for process in [root, *root.children(recursive=True)])


@contextmanager
def _traced_shop(folder: Path) -> Iterator[Target]:
    """A shop that sends its spans."""
    with ExitStack() as stack:
        of_traced = RunFolder.create(folder, "traced")
        receiver = OtlpReceiver(of_traced.spans, "127.0.0.1", 0)
        stack.callback(receiver.close)
        tracing = Tracing(receiver.url, instrument=True)
        traced = stack.enter_context(start_target(ShopTarget(), of_traced, agent=False, tracing=tracing))
        if tracing.notes:
            raise click.ClickException("; ".join(map(str, tracing.notes)))
        yield traced


def _window(
    target: Target, load_for: Callable[[float], Phase], share: float | None, settling_s: float, seconds: float
) -> Window:
    assert target.pid is not None
    traces = None if share is None else TraceSampling(share=share)
    with tempfile.TemporaryDirectory() as folder:
        phases = [load_for(settling_s + seconds + 60)]
        scenario = getter(Path(folder), path=PATH)
        load = HarnessLoad(Path(folder), scenario, phases, target.url, two_cores()[0], traces=traces)
        try:
            wait_until(lambda: load.phases_started() == 1, "the load", 30)
            time.sleep(settling_s)
            began_s, served, cpu_s = time.monotonic(), _served(target.url), _cpu_s(target.pid)
            time.sleep(seconds)
            requests = _served(target.url) - served
            used_s, length_s = _cpu_s(target.pid) - cpu_s, time.monotonic() - began_s
        finally:
            load.end()
    return Window(requests / length_s, 1e6 * used_s / requests)


@click.command()
@click.option("--rounds", default=5, show_default=True, type=click.IntRange(1, 50))
@click.option("--seconds", default=5.0, show_default=True, type=click.FloatRange(0.2, 60), help="of each measurement")
@click.option("--short", is_flag=True, help="check in a few seconds that it works")
def main(rounds: int, seconds: float, short: bool) -> None:
    """Measure what instrumentation and traced requests cost a busy target."""
    settling_s = 0.2 if short else 1.5
    load_for = partial(open_phase, SHORT_RATE, max_users=USERS) if short else partial(closed_phase, USERS)
    compared = {way: share for way, share in WAYS.items() if not short or share in (0.0, 1.0)}
    windows: dict[str, list[Window]] = {way: [] for way in compared}
    with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
        folder = Path(name)
        traced = stack.enter_context(_traced_shop(folder))
        plain = traced
        if None in compared.values():
            plain = stack.enter_context(start_target(ShopTarget(), RunFolder.create(folder, "plain"), agent=False))
        for _ in range(1 if short else rounds):
            for way, share in compared.items():
                target = plain if share is None else traced
                windows[way].append(_window(target, load_for, share, settling_s, 0.5 if short else seconds))
    ways = {
        way: {
            "requests_s": Spread.of(window.requests_s for window in seen),
            "cpu_us": Spread.of(window.cpu_us for window in seen),
            "of_instrumented": Spread.of(
                window.cpu_us / other.cpu_us for window, other in zip(seen, windows[_INSTRUMENTED], strict=True)
            ),
        }
        for way, seen in windows.items()
    }
    show(
        f"The shop under {USERS} users without wait times; median (least–greatest) of the rounds",
        ["", "requests/s", "CPU µs/request", "relative"],
        [
            [way, found["requests_s"].text(), found["cpu_us"].text(), found["of_instrumented"].text(3)]
            for way, found in ways.items()
        ],
        {"benchmark": "tracing", "ways": ways},
    )


if __name__ == "__main__":
    run_command(main)

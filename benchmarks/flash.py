"""Puts the flash sale's load on nginx: at its full rate, but shortened, on the same two cores.

``flash-load`` holds 5,000 arrivals/s, ``flash-stress`` climbs to 15,000 arrivals/s in 15 steps. Each is a complete
``harness run`` with two workers that share both cores with nginx. It shows whether one machine can make this load:
the arrivals must be there, each must be counted once, and the load generator must not be the limit.

    uv run python benchmarks/flash.py
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click

import harness
from benchmarks.generators import getter
from benchmarks.nginx import Nginx
from benchmarks.output import run_command, show
from benchmarks.processes import two_cores

LOAD, STRESS = "flash-load", "flash-stress"
SHORT = {
    LOAD: ("phase.ramp.rate=500", "phase.steady.rate=500"),
    STRESS: (
        *("phase.ramp.rate=500", "phase.steady.rate=500"),
        *("phase.stress.rate.from=500", "phase.stress.rate.to=1000", "phase.stress.rate.step=500"),
    ),
}
"""To check that it works: a tenth of the rate, and two of the steps."""


def run_profile(profile: str, seconds: dict[str, float], rates: Sequence[str]) -> dict[str, Any]:
    """Run a profile with phases of this length: what became of its last phase or step, and the exact counts.

    ``rates``: settings of the profile that are changed.
    """
    _, server_core = two_cores()
    with tempfile.TemporaryDirectory() as folder, Nginx(Path(folder), server_core, 4096) as nginx:
        settings = [*(f"phase.{key}={value}s" for key, value in seconds.items()), *rates]
        done = harness.run(getter(Path(folder)), host=nginx.url, workers=2, profile=profile, set=settings, out=folder)
        last = done.summary.phases[-1]
        highest = last.steps[-1] if last.steps else last
        return {
            "goal": last.goal,
            "requests_s": highest.requests / list(seconds.values())[-1],
            "held": last.held,
            "own_lateness_p99_ms": last.own_lateness_ms.p99,
            "limits": [phase.generator_limited for phase in done.summary.phases if phase.generator_limited],
            "recorded": done.summary.totals.requests,
            "served": nginx.requests(),
        }


def measure_flash(step_s: float, held_steps: int, rates: Mapping[str, Sequence[str]]) -> None:
    """Run both profiles, the peak with this number of steps; print a table and a JSON line."""
    seconds = {
        LOAD: {"ramp.duration": step_s, "steady.duration": held_steps * step_s},
        STRESS: {"ramp.duration": step_s, "steady.duration": 2 * step_s, "stress.rate.every": step_s},
    }
    result = {profile: run_profile(profile, seconds[profile], rates.get(profile, ())) for profile in seconds}
    rows = [
        [
            *(profile, figures["goal"], f"{figures['requests_s']:,.0f}"),
            f"{figures['held']:,.0f}" if figures["held"] else "",
            f"{figures['own_lateness_p99_ms']:,.2f}",
            f"{len(figures['limits'])}",
            *(f"{figures[count]:,}" for count in ("recorded", "served")),
        ]
        for profile, figures in result.items()
    ]
    columns = ["profile", "goal", "requests/s", "held", "late P99 ms", "generator was the limit", "recorded", "served"]
    title = f"The flash sale's load on nginx, steps of {step_s:g} s; two workers and nginx share two cores"
    show(title, columns, rows, {"benchmark": "flash", "step_s": step_s, "profiles": result})


@click.command()
@click.option("--step", "step_s", default=4.0, show_default=True, type=click.FloatRange(min=1.0), help="length, in s")
@click.option("--short", is_flag=True, help="check at lower rates that it works")
def main(step_s: float, short: bool) -> None:
    """Put the flash sale's load on nginx: 5,000 arrivals/s held, 15,000 arrivals/s reached."""
    if short:
        measure_flash(1.0, 1, SHORT)
    else:
        measure_flash(step_s, 5, {})


if __name__ == "__main__":
    run_command(main)

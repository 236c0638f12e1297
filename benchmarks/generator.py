"""Measures the requests per second of load generators on one core, and their CPU time per request.

All of them put load on the same nginx with 32 users without wait times. The generator has one core and nginx another.
Each round measures all of them in turn, so that other work on the machine affects all alike. Rate and CPU time are
measured from outside over the same period: by the request counter of nginx, and by the kernel for the processes of the
generator. The requests that the generator recorded are compared with those that nginx served.

The harness runs as in ``harness run``, with master and worker processes that record, merge and journal every request;
both are on the generator's core and count towards its CPU time. Locust runs headless with its own statistics. wrk, hey
and k6 are included if they are installed.

    uv run python benchmarks/generator.py            # speed
    uv run python benchmarks/generator.py --memory   # memory per user, and growth under steady load
"""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

import click

from benchmarks.generators import WARM_UP_S, Round, harness, hey, k6, locust, measure, wrk
from benchmarks.load import closed_phase
from benchmarks.memory import measure_memory
from benchmarks.nginx import Nginx
from benchmarks.output import Spread, run_command, show
from benchmarks.processes import two_cores

USERS = 32
BASELINE = "locust FastHttpUser"
GENERATORS = {
    "harness.HttpUser": harness(lambda seconds: closed_phase(USERS, seconds)),
    BASELINE: locust("FastHttpUser", USERS),
    "locust HttpUser": locust("HttpUser", USERS),
    "wrk": wrk(USERS),
    "hey": hey(USERS),
    "k6": k6(USERS),
}
PROGRAMS = ("wrk", "hey", "k6")
"""Measured only if they are installed."""


def measure_speed(rounds: int, seconds: float, warm_up_s: float = WARM_UP_S) -> None:
    """Measure all installed generators side by side; print a table and a JSON line."""
    generator_core, server_core = two_cores()
    present = {name: load for name, load in GENERATORS.items() if name not in PROGRAMS or shutil.which(name)}
    done: dict[str, list[Round]] = {name: [] for name in present}
    with tempfile.TemporaryDirectory() as folder, Nginx(Path(folder), server_core) as nginx:
        for number in range(rounds):
            for name, load in present.items():
                click.echo(f"round {number + 1} of {rounds}: {name}", err=True)
                with tempfile.TemporaryDirectory() as own_folder:
                    done[name].append(measure(load, nginx, Path(own_folder), warm_up_s, seconds, generator_core))

    rows, result = [], {}
    for name, own_rounds in done.items():
        # Ratios are within a round, because other work on the machine slows both alike. CPU time does not depend on
        # how the core is shared.
        pairs = list(zip(own_rounds, done[BASELINE], strict=True))
        rate, cpu = Spread.of(r.requests_s for r in own_rounds), Spread.of(r.cpu_us for r in own_rounds)
        ratio = Spread.of(mine.requests_s / baseline.requests_s for mine, baseline in pairs)
        ratio_of_cpu = Spread.of(baseline.cpu_us / mine.cpu_us for mine, baseline in pairs)
        recorded, served = sum(r.recorded for r in own_rounds), sum(r.served for r in own_rounds)
        figures = [rate.text(), ratio.text(2), cpu.text(1), ratio_of_cpu.text(2), f"{recorded:,}", f"{served:,}"]
        rows.append([name, *figures])
        result[name] = {
            "requests_s": rate,
            "ratio": ratio,
            "cpu_us": cpu,
            "ratio_of_cpu": ratio_of_cpu,
            "recorded": recorded,
            "served": served,
        }
    show(
        f"{USERS} users without wait times, one core; median (least–greatest) of {rounds} rounds of {seconds:g} s",
        ["generator", "requests/s", "× FastHttpUser", "CPU µs/request", "× FastHttpUser", "recorded", "served"],
        rows,
        {"benchmark": "generator", "rounds": rounds, "seconds": seconds, "generators": result},
    )


@click.command()
@click.option("--rounds", default=5, show_default=True, type=click.IntRange(min=1))
@click.option("--seconds", default=4.0, show_default=True, type=click.FloatRange(min=0.1), help="measured per round")
@click.option("--memory", is_flag=True, help="measure memory instead of speed")
@click.option("--users", default=10_000, show_default=True, type=click.IntRange(min=1), help="idle, with --memory")
@click.option("--minutes", default=1.0, show_default=True, help="length of the steady load, with --memory")
@click.option("--short", is_flag=True, help="check in a few seconds that it works")
def main(rounds: int, seconds: float, memory: bool, users: int, minutes: float, short: bool) -> None:
    """Measure the speed of load generators side by side, or the memory of the harness."""
    if memory and short:
        measure_memory(users=100, seconds=1.0)
    elif memory:
        measure_memory(users, minutes * 60)
    elif short:
        measure_speed(rounds=1, seconds=0.4, warm_up_s=0.1)
    else:
        measure_speed(rounds, seconds)


if __name__ == "__main__":
    run_command(main)

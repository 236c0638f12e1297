"""Measures the CPU time per request of the harness in the open model, compared with hey paced at the same rate.

Both send GET requests to the same nginx, the generator on one core and nginx on another. Each round measures both at
every rate in turn. For the harness, the CPU time is that of its load worker, which does what hey does; that of the
master is reported besides. hey has 50 users with a timer each (``hey -c 50 -q RATE/50``), so it sends in bursts and
does not always reach the rate. The harness starts every request on its own at its intended time and records it from
then; its *lateness* is how much later than intended it was started because of the harness.

    uv run python benchmarks/open.py
"""

from __future__ import annotations

import sys
import tempfile
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Self

import click

from benchmarks.generators import WARM_UP_S, Round, harness, hey, measure
from benchmarks.support import HarnessLoad, Nginx, Spread, open_phase, program, show, two_cores
from harness.analysis.generator import GeneratorState, lateness_of
from harness.errors import HarnessError

RATES = (1_000, 5_000, 10_000, 15_000)
HEY_USERS = 50
MAX_USERS = 1_000


@dataclass(frozen=True)
class Own:
    """What the harness says about itself in one round."""

    late_p99_ms: float
    limit: str | None
    """The code of the message that voids the run, because the generator was the bottleneck."""

    @classmethod
    def of(cls, load: HarnessLoad) -> Self:
        recording = load.recording()
        (phase,) = recording.phases
        lateness = lateness_of(phase, recording.journal)
        limit = GeneratorState(phase, recording.journal).limit()
        late_us = lateness.own.quantile_us(0.99) if lateness else 0
        return cls(late_us / 1000, None if limit is None else limit.code)


def measure_open(rounds: int, seconds: float, rates: tuple[int, ...], warm_up_s: float = WARM_UP_S) -> None:
    """Measure both at every rate; print a table and a JSON line."""
    program("hey", "hey")
    generator_core, server_core = two_cores()
    ours: dict[int, list[tuple[Round, Own]]] = {rate: [] for rate in rates}
    theirs: dict[int, list[Round]] = {rate: [] for rate in rates}
    with tempfile.TemporaryDirectory() as folder, Nginx(Path(folder), server_core, 4 * MAX_USERS) as nginx:
        for number in range(rounds):
            for rate in rates:
                click.echo(f"round {number + 1} of {rounds}: {rate:,}/s", err=True)
                phase = partial(open_phase, rate, max_users=MAX_USERS)
                with tempfile.TemporaryDirectory() as own_folder:
                    done = measure(harness(phase), nginx, Path(own_folder), warm_up_s, seconds, generator_core)
                    assert isinstance(done.load, HarnessLoad)
                    ours[rate].append((done, Own.of(done.load)))
                with tempfile.TemporaryDirectory() as own_folder:
                    load = hey(HEY_USERS, rate)
                    theirs[rate].append(measure(load, nginx, Path(own_folder), warm_up_s, seconds, generator_core))

    rows, result = [], {}
    for rate in rates:
        own_rounds = [done for done, _ in ours[rate]]
        figures = {
            "worker_us": Spread.of(done.sender_us for done in own_rounds),
            "with_master_us": Spread.of(done.cpu_us for done in own_rounds),
            "hey_us": Spread.of(done.sender_us for done in theirs[rate]),
            "ratio": Spread.of(
                mine.sender_us / other.sender_us for mine, other in zip(own_rounds, theirs[rate], strict=True)
            ),
            "requests_s": Spread.of(done.requests_s for done in own_rounds),
            "hey_requests_s": Spread.of(done.requests_s for done in theirs[rate]),
            "late_p99_ms": Spread.of(own.late_p99_ms for _, own in ours[rate]),
        }
        limits = [own.limit for _, own in ours[rate] if own.limit]
        recorded, served = sum(done.recorded for done in own_rounds), sum(done.served for done in own_rounds)
        rows.append(
            [
                f"{rate:,}/s",
                *(figures[name].text(1) for name in ("worker_us", "hey_us")),
                figures["ratio"].text(2),
                *(f"{figures[name].median:,.0f}" for name in ("with_master_us", "requests_s", "hey_requests_s")),
                f"{figures['late_p99_ms'].median:,.2f}",
                f"{len(limits)} of {rounds}",
                f"{recorded:,}",
                f"{served:,}",
            ]
        )
        result[str(rate)] = {**figures, "limits": limits, "recorded": recorded, "served": served}
    show(
        f"Open model, one worker on one core, hey with {HEY_USERS} users; CPU time in µs per request; "
        f"median (least–greatest) of {rounds} rounds of {seconds:g} s",
        [
            *("rate", "worker", "hey", "worker ÷ hey", "with master", "requests/s", "of hey", "late P99 ms"),
            *("was the limit", "recorded", "served"),
        ],
        rows,
        {"benchmark": "open", "rounds": rounds, "seconds": seconds, "rates": result},
    )


@click.command()
@click.option("--rounds", default=5, show_default=True, type=click.IntRange(min=1))
@click.option("--seconds", default=4.0, show_default=True, type=click.FloatRange(min=0.1), help="measured per round")
@click.option("--rate", "rates", multiple=True, type=click.IntRange(min=1), help="instead of the default rates")
@click.option("--short", is_flag=True, help="check in a few seconds that it works")
def main(rounds: int, seconds: float, rates: tuple[int, ...], short: bool) -> None:
    """Measure the CPU time per request in the open model, side by side with hey."""
    if short:
        measure_open(1, 0.4, RATES[:1], warm_up_s=0.1)
    else:
        measure_open(rounds, seconds, rates or RATES)


if __name__ == "__main__":
    try:
        main()
    except HarnessError as error:
        sys.exit(f"error: {error}")

"""Measures the CPU time per request in the open model, compared with hey at the same rate.

Both send GET requests to the same nginx, the generator on one core and nginx on another. Each round measures all at
every rate in turn. For the harness, the CPU time is that of its load worker, which does what hey does; that of the
master is reported besides. The harness starts every request on its own at its intended time and records it from then;
its *lateness* is how much later than intended it was started because of the harness. It is measured with the master on
the worker's core, where they compete, and with the master on that of nginx.

hey has a timer for each user (``hey -c USERS -q RATE/USERS``). All of them run out at the same moment, so 50 users send
50 requests in a row. *Spaced* is hey with the fewest users that reach the rate: it then sends as evenly as it can.

    uv run python benchmarks/open.py
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Self

import click

from benchmarks.generators import WARM_UP_S, Round, Starter, harness, hey, measure
from benchmarks.load import HarnessLoad, open_phase
from benchmarks.nginx import Nginx
from benchmarks.output import Spread, run_command, show_result, show_table
from benchmarks.processes import program, two_cores
from harness.analysis.generator import GeneratorState
from harness.analysis.lateness import lateness_of

RATES = (1_000, 5_000, 10_000, 15_000)
HEY_USERS = 50
FEW_USERS = (1, 2, 4, 8, 16, 32)
REACHED = 0.98
"""hey reaches a rate if it sends this share of it."""
MAX_USERS = 1_000
_TRIED_S = 0.3


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


class Rounds:
    """The rounds of one load generator at one rate."""

    def __init__(self, load: Starter) -> None:
        self._load = load
        self.done: list[Round] = []
        self.own: list[Own] = []
        """Of the harness only."""

    def add(self, nginx: Nginx, warm_up_s: float, seconds: float, core: int) -> Round:
        """Measure one more round."""
        with tempfile.TemporaryDirectory() as folder:
            done = measure(self._load, nginx, Path(folder), warm_up_s, seconds, core)
            if isinstance(done.load, HarnessLoad):
                self.own.append(Own.of(done.load))
        self.done.append(done)
        return done

    def spread(self, figure: str) -> Spread:
        """The spread of an attribute of :class:`Round`."""
        return Spread.of(getattr(done, figure) for done in self.done)

    def ratio(self, other: Self) -> Spread:
        """How much more CPU time a request takes than with another load generator in the same round."""
        return Spread.of(mine.sender_us / theirs.sender_us for mine, theirs in zip(self.done, other.done, strict=True))

    def late_ms(self) -> Spread:
        return Spread.of(own.late_p99_ms for own in self.own)

    def limits(self) -> list[str]:
        """The codes of the rounds in which the generator was the bottleneck."""
        return [own.limit for own in self.own if own.limit]

    def total(self, figure: str) -> int:
        return sum(getattr(done, figure) for done in self.done)


def fewest_users(rate: int, nginx: Nginx, core: int) -> int:
    """With how few users hey reaches the rate."""
    for users in FEW_USERS:
        if Rounds(hey(users, rate)).add(nginx, 0.1, _TRIED_S, core).requests_s >= REACHED * rate:
            return users
    return HEY_USERS


def measure_open(rounds: int, seconds: float, rates: Sequence[int], warm_up_s: float = WARM_UP_S) -> None:
    """Measure all at every rate; print two tables and a JSON line."""
    program("hey", "hey")
    core, server_core = two_cores()
    cpu_rows, rate_rows, result = [], [], {}
    with tempfile.TemporaryDirectory() as folder, Nginx(Path(folder), server_core, 4 * MAX_USERS) as nginx:
        few = {rate: fewest_users(rate, nginx, core) for rate in rates}
        phases = {rate: partial(open_phase, rate, max_users=MAX_USERS) for rate in rates}
        together = {rate: Rounds(harness(phases[rate])) for rate in rates}
        apart = {rate: Rounds(harness(phases[rate], server_core)) for rate in rates}
        bursts = {rate: Rounds(hey(HEY_USERS, rate)) for rate in rates}
        spaced = {rate: Rounds(hey(few[rate], rate)) for rate in rates}
        for number in range(rounds):
            for rate in rates:
                click.echo(f"round {number + 1} of {rounds}: {rate:,}/s", err=True)
                for side in (together, bursts, apart, spaced):
                    side[rate].add(nginx, warm_up_s, seconds, core)

    for rate in rates:
        ours, ours_apart, theirs, theirs_spaced = together[rate], apart[rate], bursts[rate], spaced[rate]
        figures = {
            "worker_us": ours.spread("sender_us"),
            "worker_apart_us": ours_apart.spread("sender_us"),
            "with_master_us": ours.spread("cpu_us"),
            "hey_us": theirs.spread("sender_us"),
            "hey_spaced_us": theirs_spaced.spread("sender_us"),
            "ratio": ours.ratio(theirs),
            "ratio_spaced": ours.ratio(theirs_spaced),
            "requests_s": ours.spread("requests_s"),
            "requests_apart_s": ours_apart.spread("requests_s"),
            "hey_requests_s": theirs.spread("requests_s"),
            "hey_spaced_requests_s": theirs_spaced.spread("requests_s"),
            "late_p99_ms": ours.late_ms(),
            "late_p99_apart_ms": ours_apart.late_ms(),
        }
        cpu_rows.append(
            [
                f"{rate:,}/s",
                *(figures[name].text() for name in ("worker_us", "hey_us")),
                figures["ratio"].text(2),
                f"{few[rate]}",
                figures["hey_spaced_us"].text(),
                figures["ratio_spaced"].text(2),
                *(f"{figures[name].median:,.0f}" for name in ("worker_apart_us", "with_master_us")),
            ]
        )
        limits, limits_apart = ours.limits(), ours_apart.limits()
        counts = {name: ours.total(name) for name in ("recorded", "served")}
        counts_apart = {f"{name}_apart": ours_apart.total(name) for name in counts}
        rate_rows.append(
            [
                f"{rate:,}/s",
                *(f"{figures[name].median:,.0f}" for name in ("requests_s", "hey_requests_s", "hey_spaced_requests_s")),
                *(figures[name].text(2) for name in ("late_p99_ms", "late_p99_apart_ms")),
                *(f"{len(codes)} of {rounds}" for codes in (limits, limits_apart)),
                *(f"{one + other:,}" for one, other in zip(counts.values(), counts_apart.values(), strict=True)),
            ]
        )
        result[str(rate)] = {
            **figures,
            "spaced_users": few[rate],
            "limits": limits,
            "limits_apart": limits_apart,
            **counts,
            **counts_apart,
        }
    show_table(
        f"Open model, one worker on one core; CPU time in µs per request; "
        f"median (least–greatest) of {rounds} rounds of {seconds:g} s",
        [
            *("rate", "worker", f"hey, {HEY_USERS} users", "worker ÷ hey", "users", "hey, spaced", "worker ÷ spaced"),
            *("worker, master apart", "worker + master"),
        ],
        cpu_rows,
    )
    show_table(
        "Requests/s and lateness",
        [
            *("rate", "requests/s", "of hey", "of hey, spaced", "late P99 ms", "late P99 ms, master apart"),
            *("was the limit", "master apart", "recorded", "served"),
        ],
        rate_rows,
    )
    show_result({"benchmark": "open", "rounds": rounds, "seconds": seconds, "rates": result})


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
    run_command(main)

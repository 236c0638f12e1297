"""Measures what judging, reporting and storing a long run takes: CPU time, memory, report size.

A run of one hour with 50 endpoints in the open model is written as the load master writes one, from requests that are
drawn and not sent. Each round judges it in a process of its own, as at the end of ``harness run``, without sampling.

    uv run python benchmarks/judging.py
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import click
import numpy as np

from benchmarks.load import open_phase, plan_of
from benchmarks.output import Spread, show
from harness.control.finalize import conclude
from harness.plan.expression import parse_requirement
from harness.plan.model.run import Gate, RunPlan
from harness.record.environment import Environment
from harness.record.journal_entries import Endpoint, PhaseSpan, WorkerSecond
from harness.record.run_folder import RunFolder, read_model
from harness.recording.writer import SUCCEEDED, RecordedLoad, Requests, write_run
from harness.store import open_store
from harness.targets.capture_environment import capture_environment

_GATES = ("p95 < 500ms", "p99 < 2s", "error_rate < 1%")


def record(parent: Path, *, seconds: int, endpoints: int, rate: int) -> RunFolder:
    """Write the run: log-normal times around 20 ms, as many requests of each endpoint, 1 in 1,000 failed."""
    folder = RunFolder.create(parent, "20260101T000000Z-hour-benchmark-0001")
    plan = plan_of([open_phase(rate, seconds, 10 * rate)], Path("hour.py"), "http://127.0.0.1:1")
    plan = plan.model_copy(update={"gates": tuple(Gate(comparison=parse_requirement(text)) for text in _GATES)})
    count, rng = seconds * rate, np.random.default_rng(1)
    service_us = rng.lognormal(np.log(20_000), 0.5, count).astype(np.int64)
    requests = Requests(
        phase=0,
        is_open=True,
        segment=np.zeros(count, dtype=np.int64),
        endpoint=rng.integers(0, endpoints, count),
        start_s=np.arange(count) / rate,
        response_us=service_us + rng.integers(0, 300, count),
        service_us=service_us,
        bytes_received=np.full(count, 2_000),
        failure=np.where(rng.uniform(size=count) < 0.001, 0, SUCCEEDED),
    )
    load = RecordedLoad(
        run_id=folder.run_id,
        epoch_s=1_767_225_600.0,
        endpoints=[Endpoint("GET", f"/endpoint-{number}") for number in range(endpoints)],
        spans=[PhaseSpan(0, 0.0, float(seconds), "done", None, (0.0,))],
        requests=[requests],
        workers=lambda _, ended: [WorkerSecond(0, 100, 0.4, 1.0, ended, 0, 0)],
        seconds=seconds,
        failures=["HTTP 500"],
        end_s=float(seconds),
        end_reason="done",
    )
    write_run(folder, plan, capture_environment(plan, Path(__file__)), load)
    return folder


def judge(path: Path) -> None:
    """Finish the run as ``harness run`` does; print CPU seconds, the most memory and the size of the report."""
    folder = RunFolder.open(path)
    plan, environment = read_model(folder.plan, RunPlan), read_model(folder.environment, Environment)
    summary = conclude(folder, plan, environment, open_store(None, folder.path.parent))
    used = resource.getrusage(resource.RUSAGE_SELF)
    figures = {
        "cpu_s": used.ru_utime + used.ru_stime,
        "peak_mb": _peak_bytes() / 1e6,
        "report_mb": folder.report.stat().st_size / 1e6,
        "requests": summary.totals.requests,
        "verdict": summary.verdict,
    }
    print(json.dumps(figures))


def _peak_bytes() -> int:
    """The most memory of this process; that of ``getrusage`` begins with the parent's."""
    (line,) = (line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) * 1024


@click.command(help=__doc__, context_settings={"max_content_width": 120})
@click.option("--rounds", type=click.IntRange(min=1), default=3, show_default=True)
@click.option("--minutes", type=click.FloatRange(min=0.1), default=60.0, show_default=True)
@click.option("--endpoints", type=click.IntRange(min=1), default=50, show_default=True)
@click.option("--rate", type=click.IntRange(min=1), default=1000, show_default=True, help="Requests per second.")
@click.option("--short", is_flag=True, help="A few seconds, only to check that it works.")
@click.option("--judge", "folder", type=click.Path(path_type=Path), hidden=True)
def main(rounds: int, minutes: float, endpoints: int, rate: int, short: bool, folder: Path | None) -> None:
    if folder is not None:
        judge(folder)
        return
    if short:
        rounds, minutes, endpoints, rate = 1, 0.2, 5, 100
    with tempfile.TemporaryDirectory() as temporary:
        recorded = record(Path(temporary), seconds=round(60 * minutes), endpoints=endpoints, rate=rate)
        figures = [_judged(recorded.path) for _ in range(rounds)]
    names = {"cpu_s": "CPU s", "peak_mb": "peak MB", "report_mb": "report MB"}
    spreads = {name: Spread.of(float(round_[name]) for round_ in figures) for name in names}
    show(
        f"{minutes:g} min, {endpoints} endpoints, {rate:,} requests/s",
        ["", *names.values()],
        [["judge, report, store", *(spread.text(1) for spread in spreads.values())]],
        {"requests": figures[0]["requests"], "verdict": figures[0]["verdict"], **spreads},
    )


def _judged(path: Path) -> dict[str, float]:
    command: Sequence[str | Path] = [sys.executable, __file__, "--judge", path]
    # With compiled modules, as an installed harness has them.
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, env=environment)
    figures: dict[str, float] = json.loads(done.stdout)
    return figures


if __name__ == "__main__":
    main()

"""Measures what a run takes besides its load, in time and CPU.

Short runs, from the ready target to the first request, and from the load's end to the exit.

Each round is a `harness run` against the embedded shop with 5 users. CPU time includes all processes, the shop's too.

    uv run python benchmarks/start.py
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import click

from benchmarks.output import Spread, show
from harness.record.journal import read_journal

_LOCUSTFILE = """
from harness import HttpUser
from locust import constant, task

class Shopper(HttpUser):
    wait_time = constant(0.1)

    @task
    def browse(self):
        self.client.get("/products")
"""
_FIGURES = {"wall_s": "wall, s", "cpu_s": "CPU, s", "begin_s": "ready to request, s", "end_s": "load's end to exit, s"}


def measure(folder: Path, seconds: float) -> dict[str, float]:
    """One run. Raises :class:`click.ClickException` if it did not pass."""
    command = [sys.executable, "-m", "harness", "run", "plain.py", "--target", "shop", "-u", "5", "-r", "5"]
    # With compiled modules, as an installed harness has them.
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    begun_s = time.time()
    with subprocess.Popen(
        [*command, "-t", f"{seconds:g}s", "--json"],
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as process:
        assert process.stdout is not None
        summary = json.loads(process.stdout.read())
        _, _, used = os.wait4(process.pid, 0)
        ended_s = time.time()
        process.returncode = summary["exit_code"]
    if summary["verdict"] != "pass":
        raise click.ClickException(f"the run did not pass: {summary['reasons']}")
    run = Path(folder, "reports", summary["run_id"])
    journal = read_journal(run / "journal")
    (steady,) = journal.phases
    assert steady.end_s is not None
    return {
        "wall_s": ended_s - begun_s,
        "cpu_s": used.ru_utime + used.ru_stime,
        # The shop's one line of output says that it is ready.
        "begin_s": journal.epoch_s + steady.start_s - (run / "target.log").stat().st_mtime,
        "end_s": ended_s - (journal.epoch_s + steady.end_s),
    }


@click.command(help=__doc__, context_settings={"max_content_width": 120})
@click.option("--rounds", type=click.IntRange(min=1), default=5, show_default=True, help="Of runs of 1 s.")
@click.option("--minutes", type=click.IntRange(min=0), default=2, show_default=True, help="Rounds of runs of a minute.")
@click.option("--short", is_flag=True, help="A few seconds, only to check that it works.")
def main(rounds: int, minutes: int, short: bool) -> None:
    if short:
        rounds, minutes = 1, 0
    figures: dict[str, dict[str, Spread]] = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "plain.py").write_text(_LOCUSTFILE)
        if not short:
            measure(folder, 1)  # compiles modules, makes the store
        for length, seconds, count in (("1 s", 1, rounds), ("1 min", 60, minutes)):
            if count:
                runs: Sequence[dict[str, float]] = [measure(folder, seconds) for _ in range(count)]
                figures[length] = {figure: Spread.of(run[figure] for run in runs) for figure in _FIGURES}
    rows = [[length, *(spread.text(2) for spread in spreads.values())] for length, spreads in figures.items()]
    show("harness run, 5 users on the embedded shop", ["load", *_FIGURES.values()], rows, {"runs": figures})


if __name__ == "__main__":
    main()

"""``harness bench``: a suite of pytest-benchmark, judged by gates, with a report."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from harness.cli import options


@click.command(context_settings={"ignore_unknown_options": True})
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED, metavar="[PYTEST ARGUMENTS]...")
@click.option("--gate", "gates", multiple=True, metavar="GATE", help="Must hold: 'bench(\"test_x\").mean < 2ms'.")
@click.option(
    "--gates",
    "gates_file",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    metavar="FILE",
    help="A TOML file of [[gate]] tables.",
)
@click.option("--profile", is_flag=True, help="Run the slowest once more under py-spy: flame graphs.")
@click.option("--memory", is_flag=True, help="Call each once more under memray: peak and allocations.")
@options.out
@options.as_json
def command(
    arguments: tuple[str, ...],
    gates: tuple[str, ...],
    gates_file: Path | None,
    profile: bool,
    memory: bool,
    out: Path,
    as_json: bool,
) -> int:
    """Run a suite of pytest-benchmark, keep every round, and judge it: against limits, or against a baseline.

    PYTEST ARGUMENTS are handed to pytest as they are: paths, -k, --benchmark-min-rounds, … Without a path, those of
    [tool.harness.bench] in pyproject.toml; its gates hold where neither --gate nor --gates is given.

    \b
    Exit code: 0 it held, 1 a gate or a test failed, 2 wrong input (also: no benchmarks, a file that cannot be
               imported), 3 inconclusive, 4 pytest broke down, 130 interrupted.

    \b
      harness bench benchmarks/micro
      harness bench benchmarks/micro -k search --gate 'bench("test_search*").p95 < 5ms'
      harness baseline set latest
      harness bench --gate 'bench("test_*").mean <= baseline + 10%'
    """
    import harness
    from harness.control.interrupts import raise_on_signals
    from harness.report.formatting import no_commands

    def hear(text: str) -> None:
        print(no_commands(text), end="", file=sys.stderr, flush=True)

    raise_on_signals()
    try:
        finished = harness.bench(
            arguments, gate=gates, gates=gates_file, profile=profile, memory=memory, out=out, hear=hear
        )
    except harness.RunInterrupted as stopped:
        finished = stopped.run

    from harness.cli.outcome import show_outcome

    show_outcome(finished.folder, finished.summary, as_json=as_json)
    return finished.summary.exit_code

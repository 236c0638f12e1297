"""``harness bench``: run a pytest-benchmark suite, judge it, write the report."""

from __future__ import annotations

import sys
from typing import Any

import click

from harness import api, cli, control
from harness.api.options import BenchOptions
from harness.cli import options


@click.command(context_settings={"ignore_unknown_options": True})
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED, metavar="[PYTEST ARGUMENTS]...")
@options.declared_by(BenchOptions)
@options.inconclusive
@options.as_json
def command(inconclusive: str | None, as_json: bool, **given: Any) -> int:
    """Run a pytest-benchmark suite, keep every round, and judge it against limits or a baseline.

    PYTEST ARGUMENTS go to pytest unchanged: paths, -k, --benchmark-min-rounds, … Without a path, those of
    [tool.harness.bench] in pyproject.toml are used. Its gates apply if neither --gate nor --gates is given.

    \b
    Exit code: 0 all gates held, 1 a gate or a test failed, 2 wrong input (or no benchmarks, or a file that
               cannot be imported), 3 inconclusive, 4 pytest crashed, 130 interrupted.

    \b
      harness bench benchmarks/micro
      harness bench benchmarks/micro -k search --gate 'bench("test_search*").p95 < 5ms'
      harness baseline set latest
      harness bench --gate 'bench("test_*").mean <= baseline + 10%'
    """
    from harness.record.plain_text import no_commands  # pydantic comes with it, which --help does not need

    def hear(text: str) -> None:
        print(no_commands(text), end="", file=sys.stderr, flush=True)

    control.interrupts.raise_on_signals()
    try:
        finished = api.bench.run_benchmarks(BenchOptions(**given, hear=hear))
        control.interrupts.raise_on_signals(ignored=1)
    except api.result.RunInterrupted as interrupted:
        finished = interrupted.run
    return cli.outcome.show_outcome(finished.folder, finished.summary, as_json=as_json, inconclusive=inconclusive)

"""``harness duet``: put the same load on two builds in turns, and compare them."""

from __future__ import annotations

from typing import Any

import click

from harness import api, cli, control
from harness.api.options import DuetOptions
from harness.cli import options
from harness.cli.run import make_observer


@click.command()
@click.argument("scenario")
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED, metavar="[-- ARGUMENTS]")
@options.declared_by(DuetOptions)
@options.inconclusive
@options.as_json
def command(as_json: bool, inconclusive: str | None, **given: Any) -> int:
    """Put the load of SCENARIO on two builds in turns of half a second, and report what changed from A to B.

    Noise of the machine hits both builds alike, so a duet finds smaller changes than two runs do. Gates judge build B;
    in them, "baseline" means build A.

    \b
    Exit code: 0 all gates held, 1 a gate failed, 2 wrong input, 3 inconclusive,
               4 the run is broken, 130 interrupted.

    \b
      harness duet scenario.py --a "old/.venv/bin/python app.py {port}" --b ".venv/bin/python app.py {port}"
      harness duet scenario.py --base main --target "uv run python app.py {port}"
      harness duet scenario.py --a-url http://127.0.0.1:8001 --b-url http://127.0.0.1:8002 -u 20 -t 2m
    """
    control.interrupts.raise_on_signals()
    try:
        with make_observer() as observer:
            finished = api.duet.run_duet(DuetOptions(**given, watcher=observer))
            control.interrupts.raise_on_signals(ignored=1)
    except api.result.RunInterrupted as interrupted:
        finished = interrupted.run
    return cli.outcome.show_outcome(finished.folder, finished.summary, as_json=as_json, inconclusive=inconclusive)

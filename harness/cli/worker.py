"""``harness worker``: run load workers on this machine for a run on another."""

from __future__ import annotations

from pathlib import Path

import click

from harness import control
from harness.cli import options
from harness.cli.std_streams import say
from harness.errors import HarnessError


@click.command()
@click.option(
    "--master",
    required=True,
    metavar="HOST[:PORT]",
    help="Address on which `harness run --bind` listens. Default port: 5557.",
)
@click.option(
    "--workers",
    type=options.WholeNumber(1),
    default=1,
    show_default=True,
    metavar="N",
    help="Number of workers on this machine; each needs its own core.",
)
@options.secret_file
def command(master: str, workers: int, secret_file: Path | None) -> int:
    """Run load workers on this machine for a run that another machine leads. That machine shows the command to run.

    \b
      on that machine:  harness run my_scenario.py --bind 10.0.0.5 ...
      here:             HARNESS_SECRET=... harness worker --master 10.0.0.5

    Both machines need the same versions of the harness and Locust, and the packages that the scenario imports. The
    scenario, its own modules and the files that it names are sent to a temporary folder here and removed at the end.

    \b
    Exit code: 0 the run has ended (its verdict is shown there), 2 rejected or wrong input,
               4 the master or a worker was lost, 130 interrupted.
    """
    # Only here: `--help` needs neither pydantic nor ZeroMQ, which take half a second to import.
    from harness.cluster.listen_address import split_address
    from harness.cluster.secret import VARIABLE, given_secret

    host, port = split_address(master, "master")
    secret = given_secret(secret_file)
    if secret is None:
        raise HarnessError("worker-secret-missing", variable=VARIABLE)
    return control.remote_worker.work(host, port, secret=secret, workers=workers, say=lambda line: say(str(line)))

"""``harness worker``: load workers of this machine for a run on another."""

from __future__ import annotations

from pathlib import Path

import click

from harness.cli import options


@click.command()
@click.option("--master", required=True, metavar="HOST[:PORT]", help="Where `harness run --bind` waits. Port: 5557.")
@click.option(
    "--workers",
    type=options.WholeNumber(1),
    default=1,
    show_default=True,
    help="So many here; each wants a core to itself.",
)
@options.secret_file
def command(master: str, workers: int, secret_file: Path | None) -> int:
    """Put load on a target for a run that another machine leads, which shows the command to type here.

    \b
      on that machine:  harness run my_scenario.py --bind 10.0.0.5 ...
      here:             HARNESS_SECRET=... harness worker --master 10.0.0.5

    Harness and Locust must be the same as there, and what the scenario imports must be installed. The scenario itself,
    its own modules and the files it names come from there, into a temporary folder that is removed at the end.

    \b
    Exit code: 0 the run has ended (its verdict is told there), 2 not let in or wrong input,
               4 the master or a worker was lost, 130 interrupted.
    """
    from harness.cluster.listen_address import split_address
    from harness.cluster.secret import VARIABLE, given_secret
    from harness.control.remote_worker import work
    from harness.errors import HarnessError
    from harness.report.formatting import plain

    host, port = split_address(master, "--master")
    secret = given_secret(secret_file)
    if secret is None:
        raise HarnessError(
            f"the secret of the run is missing; it stands in {VARIABLE}",
            hint="The master shows the whole command to type.",
        )
    return work(host, port, secret=secret, workers=workers, say=lambda line: click.echo(plain(line), err=True))

"""``harness gate``: judge a run again, by its own gates or others."""

from __future__ import annotations

from pathlib import Path

import click

from harness import api, cli, control
from harness.cli import options


@click.command()
@click.argument("run")
@click.option(
    "--require", "-r", multiple=True, metavar="GATE", help='Judge by this gate instead, such as "p95 < 300ms".'
)
@click.option("--phase", metavar="NAME", help="The phase that --require applies to. Default: every measured phase.")
@click.option(
    "--endpoint", help='The endpoint that --require applies to, such as "POST /checkout". Default: all together.'
)
@click.option("--profile", metavar="NAME|FILE", help="Judge by the gates of this profile.")
@options.out
@options.inconclusive
@options.as_json
def command(
    run: str,
    require: tuple[str, ...],
    phase: str | None,
    endpoint: str | None,
    profile: str | None,
    out: Path,
    inconclusive: str | None,
    as_json: bool,
) -> int:
    """Judge RUN (a run folder, a run ID or "latest") again and rewrite its summary and report.

    Works on folders from other machines and on runs that were killed. The exit codes are those of "harness run".
    """
    folder = control.run_lookup.find_or_fetch(run, out)
    summary = api.judge.judge_folder(folder, require, phase=phase, endpoint=endpoint, profile=profile)
    return cli.outcome.show_outcome(folder, summary, as_json=as_json, inconclusive=inconclusive)

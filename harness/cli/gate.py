"""``harness gate``: judge a run folder again, under its own gates or others."""

from __future__ import annotations

from pathlib import Path

import click

from harness.cli import options


@click.command()
@click.argument("run")
@click.option("--require", "-r", multiple=True, metavar="GATE", help='Judge by this instead: "p95 < 300ms".')
@click.option("--phase", help="The phase that --require reads. Default: every measured phase.")
@click.option("--endpoint", help='The endpoint that --require reads, as "POST /checkout". Default: all together.')
@click.option("--profile", metavar="NAME|FILE", help="Judge by the gates of this profile.")
@options.out
@options.as_json
def command(
    run: str,
    require: tuple[str, ...],
    phase: str | None,
    endpoint: str | None,
    profile: str | None,
    out: Path,
    as_json: bool,
) -> int:
    """Judge RUN (a run folder, a run-id or "latest") again; write its summary and report anew.

    Works on folders copied from elsewhere and on runs that were killed. Exit codes as of "harness run".
    """
    from harness import Run

    judged = Run.load(run, out=out).judge(require, phase=phase, endpoint=endpoint, profile=profile)

    # Only now: a wrong word is told before rich is loaded.
    from harness.cli.outcome import show_outcome

    show_outcome(judged.folder, judged.summary, as_json=as_json)
    return judged.summary.exit_code

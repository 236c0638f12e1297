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
    from harness.errors import HarnessError
    from harness.plan.gating import gates_given
    from harness.plan.model import RunPlan
    from harness.record.run_folder import find_run, read_model

    if profile and require:
        raise HarnessError("gates come from one place", where="--require, --profile", hint="Give one of the two.")
    if (phase or endpoint) and not require:
        raise HarnessError("nothing is required", where="--phase, --endpoint", hint='Add --require "p95 < 300ms".')
    folder = find_run(run, out)
    plan = read_model(folder.plan, RunPlan)
    gates = gates_given(plan, require=require, phase=phase, endpoint=endpoint, profile=profile)

    # Only now: a wrong word is told before scipy, pyarrow and jinja2 are loaded.
    from harness.cli.outcome import show_outcome
    from harness.control.judging import judge_again

    summary = judge_again(folder, gates)
    show_outcome(folder, summary, as_json=as_json)
    return summary.exit_code

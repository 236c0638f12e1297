"""``harness upload``: copy a run folder to where the team keeps them."""

from __future__ import annotations

from pathlib import Path

import click

from harness.cli import options


@click.command()
@click.argument("run")
@options.out
def command(run: str, out: Path) -> None:
    """Copy RUN (a run folder, a run-id or "latest") to HARNESS_ARTIFACTS, a directory or an fsspec URL.

    "harness run" does so by itself after each run; this is for runs whose copy failed, or that were killed.
    """
    from harness.errors import HarnessError
    from harness.plan.plan_file import read_plan
    from harness.record.environment import Environment
    from harness.record.redacted_lines import redact_file
    from harness.record.redaction import add_secret_names
    from harness.record.run_folder import find_run, read_model
    from harness.record.running import is_running
    from harness.record.summary import Summary
    from harness.store import RunEntry, open_store
    from harness.store.artifacts import VARIABLE, place, shown, upload

    to = place()
    if to is None:
        raise HarnessError("no place is named", where=VARIABLE, hint=f"{VARIABLE}=s3://bucket/runs, or a directory.")
    folder = find_run(run, out)
    if is_running(folder):
        raise HarnessError(
            "the run is still going on",
            where=str(folder.path),
            hint=f"It is copied at its end, if {VARIABLE} was set at its start; else call again when it has ended.",
        )
    # A run masks its logs at its end, which one that was killed has not had.
    add_secret_names(read_plan(folder).secret_names)
    redact_file(folder.log)
    redact_file(folder.target_log)
    location = upload(folder, to)
    if folder.summary.exists():
        entry = RunEntry(
            read_model(folder.summary, Summary),
            read_model(folder.environment, Environment).fingerprint,
            folder.path,
            location,
        )
        with open_store(None, folder.path.parent) as store:
            store.record_run(entry)
    click.echo(f"copied to {shown(location)}", err=True)

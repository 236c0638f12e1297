"""``harness run``: a scenario against a target, judged, with a report."""

from __future__ import annotations

import os
from pathlib import Path

import click

from harness.cli import options
from harness.cli.target_options import target_of


class _Command(click.Command):
    """Says where an option that is not ours may belong."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        try:
            return super().parse_args(ctx, args)
        except click.NoSuchOption as unknown:
            hint = "options of the Locust file itself go behind --: harness run FILE -- --its-option x"
            raise click.NoSuchOption(
                unknown.option_name, f"{unknown.message} ({hint})", unknown.possibilities, unknown.ctx
            ) from None


@click.command(cls=_Command)
@click.argument("scenario")
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED, metavar="[-- ARGUMENTS]")
@click.option("--profile", metavar="NAME|FILE", help="How much load, and what must hold: a file of profiles/.")
@click.option("--set", "overrides", multiple=True, metavar="KEY=VALUE", help="Change one value of the plan.")
@click.option("--workers", type=int, help="Load workers here. Default: one a core less one, at least one.")
@click.option("--bind", metavar="ADDR[:PORT]", help="Let workers of other machines join here; then --workers is 0.")
@click.option("--expect-workers", type=int, metavar="N", help="With --bind: how many join from there. Default: 1.")
@options.secret_file
@click.option(
    "--metrics-port",
    envvar="HARNESS_METRICS_PORT",
    metavar="[ADDR:]PORT",
    help="Let Prometheus scrape the run there; on loopback where no address is given.",
)
@click.option("--host", metavar="URL", help="A target that runs already. Default: HARNESS_HOST, if that is set.")
@click.option("--allow-host", multiple=True, metavar="NAME", help="A host, not this machine, to load.")
@click.option("--pid", type=options.WholeNumber(min=1), help="Its process, to sample. Only with --host.")
@click.option("--target", metavar="CMD", help="A target to start; CMD may hold {port}. Default: the embedded shop.")
@click.option("--ready", metavar="PATH", help="It is ready when GET PATH answers 2xx. Default: /health.")
@click.option("--tags", "-T", multiple=True, help="Only tasks with one of these Locust tags.")
@click.option("--exclude-tags", "-E", multiple=True, help="No tasks with one of these Locust tags.")
@click.option("--seed", type=int, help="Of all that is random; a plan that is run again has the same.")
@options.out
@options.as_json
def command(
    scenario: str,
    arguments: tuple[str, ...],
    profile: str | None,
    overrides: tuple[str, ...],
    workers: int | None,
    bind: str | None,
    expect_workers: int | None,
    secret_file: Path | None,
    metrics_port: str | None,
    host: str | None,
    allow_host: tuple[str, ...],
    pid: int | None,
    target: str | None,
    ready: str | None,
    tags: tuple[str, ...],
    exclude_tags: tuple[str, ...],
    seed: int | None,
    out: Path,
    as_json: bool,
) -> int:
    """Run SCENARIO (a Python file: any Locust file) and answer: did it hold?

    SCENARIO may also be a folder of Locust files, or several with commas between. What follows -- are the file's own
    arguments (events.init_command_line_parser) and, without dashes, the user classes to run.

    \b
    Exit code: 0 it held, 1 a gate failed, 2 wrong input, 3 inconclusive,
               4 the run is broken, 130 interrupted.

    \b
      harness run scenarios/flash_sale.py
      harness run scenarios/flash_sale.py --profile smoke
      harness run my_locustfile.py --host http://127.0.0.1:8000 --pid 1234
      harness run my_locustfile.py --target "python app.py --port {port}"
      harness run my_locustfile.py -- --my-option x Buyer
      harness run my_locustfile.py --host http://10.0.0.9 --allow-host 10.0.0.9 \\
                                   --bind 10.0.0.5 --expect-workers 3
    """
    import harness
    from harness.cli.outcome import show_outcome
    from harness.cli.progress import make_observer
    from harness.control.interrupts import raise_on_signals

    if host is None and target is None and (given := target_of(os.environ)) is not None:
        host, pid, allow_host = given.host, pid or given.pid, (*allow_host, *given.allowed)
    raise_on_signals()
    try:
        with make_observer() as observer:
            finished = harness.run(
                scenario,
                arguments,
                profile=profile,
                set=overrides,
                workers=workers,
                bind=bind,
                expect_workers=expect_workers,
                secret_file=secret_file,
                metrics_port=metrics_port,
                host=host,
                allow_host=allow_host,
                pid=pid,
                target=target,
                ready=ready,
                tags=tags,
                exclude_tags=exclude_tags,
                seed=seed,
                out=out,
                watcher=observer,
            )
    except harness.RunInterrupted as stopped:
        finished = stopped.run
    show_outcome(finished.folder, finished.summary, as_json=as_json)
    return finished.summary.exit_code

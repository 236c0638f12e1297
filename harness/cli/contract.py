"""``harness contract``: verify that a running provider keeps its pacts."""

from __future__ import annotations

from pathlib import Path

import click

from harness import control
from harness.cli import options
from harness.errors import ExitCode


@click.command()
@click.argument("pact", nargs=-1, required=True, metavar="PACT…")
@click.option("--host", "-H", required=True, metavar="URL", help="The URL of the provider.")
@click.option("--provider", metavar="NAME", help="The name that the pacts must use for the provider.")
@click.option(
    "--provider-states-url",
    metavar="URL",
    help="The URL to which the state that an interaction requires is POSTed before it is verified.",
)
@click.option("--allow-host", multiple=True, metavar="NAME", help="Allow requests to this host, besides this machine.")
@options.as_json
def command(
    pact: tuple[str, ...],
    host: str,
    provider: str | None,
    provider_states_url: str | None,
    allow_host: tuple[str, ...],
    as_json: bool,
) -> int:
    """Verify Pact files (versions 1 to 4) against a running provider, with the Pact project's own library.

    PACT is a file, a folder or a pattern such as "pacts/*.json". Each interaction is sent to the provider, and its
    response compared with what the consumer expects. `[contract] pact = "pacts/*.json"` in a profile does the same
    before the load.

    \b
    Exit code: 0 all interactions hold, 1 one does not hold, 2 wrong input, 4 the provider is not reachable.

    \b
      harness contract pacts/ --host http://127.0.0.1:8000
      harness contract pacts/web-shop.json --host http://127.0.0.1:8000 \\
                       --provider-states-url http://127.0.0.1:8000/_pact/states
    """
    control.interrupts.raise_on_signals()
    # Only here: `--help` needs none of it.
    from harness.cli.outcome import show_sections
    from harness.cli.std_streams import print_json, say
    from harness.contracts.pacts import find_pacts, read_pacts, states_not_set_up, verify
    from harness.control.contract import require_provider
    from harness.report.sections.contract import PactsVerified

    pacts = read_pacts(find_pacts(pact, Path.cwd(), where="PACT"), provider)
    require_provider(host, provider_states_url, allow_host)
    if (note := states_not_set_up(pacts, provider_states_url)) is not None:
        say(str(note))
    found = verify(pacts, host, states_url=provider_states_url)
    show_sections((PactsVerified(),), found, [])
    if as_json:
        print_json({**found.model_dump(), "held": found.held})
    return ExitCode.PASS if found.held else ExitCode.FAIL

"""What ``harness run`` makes of what is typed, without running anything."""

from __future__ import annotations

from harness.api.options import RunOptions
from harness.cli import run

_NOT_OF_A_RUN = ("inconclusive", "as_json", "headless")


def run_options(*typed: str) -> RunOptions:
    """The options of ``harness run`` with these words."""
    with run.command.make_context("run", [*typed]) as context:
        given = {name: value for name, value in context.params.items() if name not in _NOT_OF_A_RUN}
        return run.options_of(given.pop("scenario"), given.pop("arguments"), given.pop("locustfile"), given)

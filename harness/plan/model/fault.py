"""The faults of a plan, and the proxies that they act on."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field

from harness.plan.frozen import Frozen, Redacted, RedactedSettings
from harness.plan.toml_values import redacted_values


class PlannedFault(Frozen):
    """Something to break on purpose, ``at_s`` into a phase; until that ends, or for ``for_s``."""

    name: str
    kind: str
    """One of :data:`harness.faults.FAULTS`."""
    phase: str
    at_s: float = 0.0
    for_s: float | None = None
    settings: Annotated[dict[str, Any], Redacted(redacted_values)] = Field(default_factory=dict)
    """The keys of its kind."""
    where: str = ""
    """Where the user wrote it, for messages."""


BEFORE_TARGET = "target"
"""The name of the proxy between the generator and the target."""


class PlannedProxy(Frozen):
    """A proxy that the harness starts, or one of a Toxiproxy: ``[proxies.NAME]``; see :mod:`harness.plan.proxies`."""

    name: str
    upstream: str | None = None
    """None: the target, or what a Toxiproxy knows."""
    listen: str = "127.0.0.1:0"
    of_target: bool = False
    """Whether the upstream listens only once the target runs."""
    toxiproxy: str | None = None
    environment: RedactedSettings = Field(default_factory=dict)
    """Of a managed target."""
    where: dict[str, str] = Field(default_factory=dict, exclude=True)
    """Where each key, and the table itself (``""``), was written, for errors that are found once the run begins."""

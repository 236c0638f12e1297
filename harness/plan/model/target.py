"""The targets of a plan, and where load may be sent."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from harness.plan.frozen import Frozen, Redacted, RedactedSettings, RedactedText
from harness.record.measurement import ONLY
from harness.record.redaction import redacted_command


class ShopTarget(Frozen):
    """The embedded shop; ``environment`` is added to that of its process."""

    kind: Literal["shop"] = "shop"
    environment: RedactedSettings = Field(default_factory=dict)


class CommandTarget(Frozen):
    """A target that the harness starts, ready when ``ready_path`` returns 2xx. ``command`` may contain ``{port}``."""

    kind: Literal["command"] = "command"
    command: Annotated[str, Redacted(redacted_command)]
    folder: str | None = None
    """Where it is started; None: where the harness was."""
    revision: str | None = None
    """Which commit that folder is a checkout of, as :class:`harness.targets.worktrees.Build` names it."""
    ready_path: RedactedText = "/health"
    ready_timeout_s: float = 60.0
    environment: RedactedSettings = Field(default_factory=dict)


class AttachedTarget(Frozen):
    """A running target. Samplers watch the process ``pid`` on this machine; without one, nothing is sampled.

    ``url`` is empty where users that are not HTTP users find their targets themselves, without a ``host``.
    """

    kind: Literal["attached"] = "attached"
    url: RedactedText
    allowed: bool = False
    """Whether the user allowed its host by name, since it is not this machine."""
    pid: int | None = None
    own_hosts: bool = False
    """Whether ``url`` is the ``host`` of a user class. Each keeps its own; HTTP users without one use ``url``."""


class AllowedHost(Frozen):
    """Another machine that load may be sent to, or this one if it has a rate limit.

    ``host`` as :func:`harness.plan.hosts.host_key` spells it; ``max_rate`` is the most requests a second that all
    workers together may send it; None: no limit.
    """

    host: str
    max_rate: int | None = None


PlannedTarget = Annotated[ShopTarget | CommandTarget | AttachedTarget, Field(discriminator="kind")]


class Variant(Frozen):
    """A target, and the name of its figures: one in a normal run; in a duet several, of two builds."""

    name: str = ONLY
    target: PlannedTarget

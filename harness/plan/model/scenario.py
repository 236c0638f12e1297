"""What a plan knows of its scenario."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from harness.plan.frozen import Frozen, Redacted
from harness.record.redaction import redacted


class UserClass(Frozen):
    """One Locust user class of the scenario; ``tasks`` maps each task's name to its share of the iterations (0…1).

    ``is_http``: Locust's or the harness's client sends its requests, so that its ``host`` is a URL.
    """

    name: str
    weight: float
    fixed_count: int
    host: Annotated[str | None, Redacted(redacted)]
    tasks: dict[str, float]
    is_http: bool = True


class FeederSource(Frozen):
    """Where the rows of a feeder come from; ``where`` is the scenario's call, as ``FILE:LINE``."""

    path: str | None
    """The file, absolute; None: the scenario's own code yields the rows."""
    order: str
    recycles: bool
    """Whether the rows are used again after the last; else the run ends."""
    where: str
    rows: int = 0
    """How many there are; 0 until they have been read."""
    digest: str = ""
    """SHA-256 of what was written of them (:mod:`harness.feeders.rows`)."""


class Scenario(Frozen):
    """The scenario file as ``harness.engine.scenario.describe`` found it."""

    path: str
    """Absolute; the first of several files."""
    files: tuple[str, ...] = ()
    """All of its files, absolute, if there are several (see ``harness.plan.locustfiles``)."""
    name: str
    """The file's name without ``.py``."""
    sha256: str
    user_classes: tuple[UserClass, ...]
    left_out: dict[str, str] = Field(default_factory=dict)
    """User classes without tasks: the name and the place of each."""
    has_setup: bool = False
    has_verify: bool = False
    has_teardown: bool = False
    feeders: tuple[FeederSource, ...] = ()
    figures: tuple[str, ...] = ()
    """Words that ``verify`` mentions: it may yield figures of these names, which gates read."""
    has_shape: bool = False

    @property
    def known_figures(self) -> tuple[str, ...] | None:
        """:attr:`figures`; None if it has no ``verify``."""
        return self.figures if self.has_verify else None

    @property
    def locustfiles(self) -> tuple[str, ...]:
        """The files to import, in this order."""
        return self.files or (self.path,)

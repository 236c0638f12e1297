"""What a run found out about the target's processes: memory that grows, and processes that died."""

from __future__ import annotations

from pydantic import BaseModel

from harness.record.notice import Notice


class Leak(BaseModel):
    """Memory that grew throughout a measured steady phase, and the function that kept most of it.

    ``slope`` is the Theil-Sen slope in bytes a minute, ``low`` and ``high`` its 95 % interval.
    """

    phase: str
    variant: str = ""
    """In a duet the build, ``a`` or ``b``."""
    pids: list[int] = []
    """The processes that grew; empty if only all of them together did, or it is not known which."""
    processes: int = 0
    """How many processes the target had throughout the phase; 0 if that is not known."""
    slope: float
    low: float
    high: float
    gained_bytes: float
    seconds: float
    requests: int
    function: str | None = None
    """What kept most of the memory that stayed allocated in the ``diagnose`` phase; null where nothing shows it."""
    file: str | None = None
    line: int | None = None
    """Where it allocated most of that."""
    kept_bytes: int | None = None
    kept_share: float | None = None
    """The share (0…1) of all memory that stayed allocated."""
    notice: Notice
    """The finding as a sentence."""

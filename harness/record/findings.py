"""What a run found out about the target's processes: which died, and whose memory grew."""

from __future__ import annotations

from pydantic import BaseModel

from harness.record.notice import Notice


class ProcessEnd(BaseModel):
    """A process of the target that died during the load: the target itself, or one of several."""

    pid: int
    root: bool
    """Whether it is the first process of the target: then the run has ended, too."""
    name: str = ""
    """Of its program."""
    variant: str = ""
    exit_code: int | None = None
    signal: str | None = None
    """``SIGSEGV``; null with an ``exit_code``, or if the kernel did not say how it ended."""
    out_of_memory: bool = False
    """Whether the kernel's own log or counter says that it killed the process because memory ran out."""
    at_s: float
    """Since the start of the run."""
    phase: str | None = None
    phase_s: float | None = None
    """Since the start of the phase."""
    rss_bytes: float | None = None
    """What it held by the last reading before; of the first process, with all its descendants."""
    last_lines: list[str] = []
    """What the target had written last."""
    replaced_by: int | None = None
    """The process that its parent started in its place."""
    notice: Notice
    """The finding as a sentence."""


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

"""What the harness and the process that carries out faults send each other, one JSON object a line.

The first line on standard input is a :class:`Setup`. The process responds ``{"ready": true}`` once orders may follow,
again each time that it had to start anew, after it has undone what was begun.

Orders:

- ``{"place": …}`` is a :class:`~harness.faults.place.Place` that replaces the previous one.
- ``{"begin": N, "at": S, "until": S}`` begins fault number N at ``at`` and ends it at ``until``, in seconds since 1970.
  Where ``until`` is null, an order ends it. One whose ``until`` has passed does not begin, unless it is momentary.
- ``{"end": N}`` ends fault N now, or keeps it from beginning.
- ``{"end_all": true}`` ends all faults. The response is ``{"over": true}``.

The end of the file means that the run is over.

Each event comes as ``{"fault": N, "event": …, "epoch_s": …, "error": …}``, see
:class:`harness.record.fault_events.FaultEvent`.
"""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict

from harness.faults import FAULTS, Fault, Place


class GivenFault(BaseModel):
    """One fault of the plan; ``settings`` are the keys of its kind."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    kind: str
    phase: str
    settings: dict[str, Any]

    def made(self) -> Fault:
        return FAULTS[self.kind].model_validate(self.settings)


class Setup(BaseModel):
    """What the process needs to know; ``log`` is the file of the stream ``faults``."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    faults: tuple[GivenFault, ...]
    place: Place
    log: str
    secret_names: tuple[str, ...] = ()
    undo: bool = False
    """Whether a process before this one may have left faults open: the log says which."""

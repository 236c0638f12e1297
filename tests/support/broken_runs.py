"""Runs with faults, made in milliseconds: a recording, and the stream of what was broken in it."""

from __future__ import annotations

from typing import Any, Literal, NamedTuple

import numpy as np

from harness.messages import Message
from harness.record.fault_events import FAULT_EVENTS, FaultEvent
from harness.record.run_folder import RunFolder
from tests.support.latencies import Floats, Latency
from tests.support.recordings import EPOCH_S


class Broken(NamedTuple):
    """A fault from ``begin_s`` to ``end_s``, seconds of the run; None: it was never undone."""

    name: str
    begin_s: float
    end_s: float | None
    kind: str = "network"
    phase: str = "steady"
    error: Message | None = None


def write_faults(folder: RunFolder, *faults: Broken) -> RunFolder:
    """Add the stream of these faults to a run without one."""
    events: list[tuple[float, Literal["began", "ended", "failed"], Broken, dict[str, Any] | None]] = []
    for fault in faults:
        events.append((fault.begin_s, "began", fault, None))
        if fault.error is not None:
            events.append((fault.begin_s, "failed", fault, fault.error.to_data()))
        if fault.end_s is not None:
            events.append((fault.end_s, "ended", fault, None))
    log = FAULT_EVENTS.writer(folder.faults)
    for at_s, event, fault, error in sorted(events, key=lambda entry: entry[0]):
        log.write(FaultEvent(EPOCH_S + at_s, event, fault.name, fault.kind, fault.phase, error))
    log.close()
    return folder


def slow_between(*spans: tuple[float, float], slow_ms: float = 800.0, usual_ms: float = 20.0) -> Latency:
    """Requests that start in one of ``spans`` take ``slow_ms``, all others about ``usual_ms``."""

    def draw(rng: np.random.Generator, at_s: Floats, endpoint: str) -> Floats:  # noqa: ARG001
        slow = np.zeros(len(at_s), dtype=np.bool_)
        for begin_s, end_s in spans:
            slow |= (at_s >= begin_s) & (at_s < end_s)
        drawn: Floats = np.where(slow, slow_ms, usual_ms * np.exp(0.1 * rng.standard_normal(len(at_s))))
        return drawn

    return draw

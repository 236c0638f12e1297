"""Runs a search phase: announces a level, follows its step second by second, and goes to the next."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Protocol

from harness.engine.run_state import RunState
from harness.plan.model.phase import Phase, Segment
from harness.plan.search import LONGEST, SETTLE_S, Search, broke
from harness.record.endpoint_second import EndpointSecond
from harness.record.journal_entries import PhaseEndReason

LEAD_S = 0.02
"""A step is announced this long before it begins, so that the workers know of it in time."""
_LONGEST_REST_S = 30.0
"""After a level of the open model that broke, arrivals pause until the queue is empty, but no longer than this."""
_REPORTED_S = 2.5
"""Within this time the seconds before a moment have been reported."""
_LOOK_S = 0.2

logger = logging.getLogger(__name__)


class Load(Protocol):
    """What puts the load on."""

    def announce(self, index: int, at_s: float, segments: Sequence[Segment], first: int = 0) -> None: ...
    def change_users(self, start: float, end: float, duration_s: float) -> None: ...


class SearchSteps:
    """The steps of one search."""

    def __init__(self, load: Load, run_state: RunState, index: int, phase: Phase) -> None:
        assert phase.search is not None
        assert phase.until is not None
        self._load, self._run_state, self._index, self._phase = load, run_state, index, phase
        self._until, self._shortest_s = phase.until, phase.search.shortest_s
        self._search = Search(phase.search, whole=phase.model == "closed")
        self._segments = 0
        """How many have begun."""
        self._begin_s = 0.0
        self._is_idle = False
        """Whether no request of the phase ended in the last of these seconds."""
        self._seconds: dict[int, list[EndpointSecond]] = {}
        """What was recorded of the current segment, by whole second of the run since it began."""

    def add(self, second: int, rows: Sequence[EndpointSecond]) -> None:
        """Add a recorded second of the run."""
        if second >= self._begin_s:  # the second in which a step begins is not all its own
            own = (self._index, self._segments - 1)
            of_second = self._seconds.setdefault(second, [])  # a late worker's part comes by itself
            of_second += [row for row in rows if (row.phase, row.segment) == own]
            self._is_idle = not any(row.phase == self._index for row in rows)

    def run(self, at_s: float) -> tuple[PhaseEndReason, int | None]:
        """Search from ``at_s`` on; returns how that ended, and the segment of the highest level that held."""
        search, open_model = self._search, self._phase.model == "open"
        end_s, held = at_s + self._phase.duration_s, None
        while (level := search.level) is not None and at_s < end_s and not self._run_state.stopped:
            self._begin(level, at_s)
            verdict = self._followed(end_s)
            if verdict is None:
                break
            search.judged(broke=verdict)
            logger.info("%s: %g %s", self._phase.name, level, "broke" if verdict else "held")
            if not verdict:
                held = self._segments - 1
            at_s = self._run_state.now_s() + LEAD_S
            if verdict and open_model and search.level is not None:
                self._rest(at_s)
                at_s = self._run_state.now_s() + LEAD_S
        return "done" if search.level is None else "cut short", held

    def _begin(self, level: float, at_s: float) -> None:
        """Put ``level`` on at ``at_s``; returns when its step begins."""
        longest_s = LONGEST * self._shortest_s + _REPORTED_S
        segments = [Segment(start=level, end=level, duration_s=length_s) for length_s in (SETTLE_S, longest_s)]
        self._load.announce(self._index, at_s, segments, self._segments)
        self._run_state.wait_until(at_s)
        self._record(at_s, level, counts=False)
        if self._phase.model == "closed":
            self._load.change_users(level, level, SETTLE_S)
        if self._run_state.wait_until(at_s + SETTLE_S):
            self._record(at_s + SETTLE_S, level, counts=True)

    def _followed(self, end_s: float) -> bool | None:
        """Whether the step that runs broke, as soon as that is clear; None if the search ends before."""
        judged = 0
        while not self._run_state.wait(_LOOK_S) and self._run_state.now_s() < end_s:
            if len(self._seconds) > judged:
                judged = len(self._seconds)
                verdict = broke(self._until, self._shortest_s, list(self._seconds.values()))
                if verdict is not None:
                    return verdict
        return None

    def _rest(self, at_s: float) -> None:
        """Pause until the queue of an overloaded level is empty."""
        pause = Segment(start=0, end=0, duration_s=_LONGEST_REST_S)
        self._load.announce(self._index, at_s, [pause], self._segments)
        self._run_state.wait_until(at_s)
        self._record(at_s, 0.0, counts=False)
        while not self._run_state.wait(_LOOK_S) and self._run_state.now_s() < at_s + _LONGEST_REST_S:
            if self._seconds and self._is_idle:
                return

    def _record(self, at_s: float, level: float, *, counts: bool) -> None:
        self._run_state.record(
            "segment", phase=self._index, segment=self._segments, at_s=at_s, level=level, counts=counts
        )
        self._segments += 1
        self._begin_s, self._seconds = at_s, {}

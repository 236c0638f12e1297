"""Wakes a worker when arrivals are due, and starts those that are due soon after in the same wake-up.

Waking up costs a worker more than a request. So each wake-up also starts up to :data:`AT_ONCE` arrivals that are due
within :data:`TOGETHER_S`, a little early. Their response times count from the actual send: they include no wait that
the alarm caused, and all that the target caused. If the next wake-up is near, it also reads the responses that come
meanwhile, which the kernel has timestamped; see :mod:`harness.engine.socket_poller`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from harness.engine.pacing.timer import FIRST, Alarm
from harness.engine.socket_poller import poller

TOGETHER_S = 0.001
"""One wake-up starts the arrivals due within this after the next one, early."""
AT_ONCE = 16
"""The most arrivals that one wake-up starts early."""
TURN_S = 0.001
"""How often work that is behind yields to other greenlets."""
_HELD_S = 0.002
"""If the next wake-up is due within this, it also reads the responses that come until then."""
_ROUNDING_S = 1e-6
_LEAD_S = 0.0002
"""How long it takes to wake up: the alarm is set this much before the next arrival is due."""


@dataclass
class _Ticker:
    """Arrivals of one phase, at ``times`` from ``begin_s``; those due from ``until_s`` on belong to another."""

    times: Iterator[float]
    begin_s: float
    next_s: float = math.inf
    """When the next arrival is due (of the run); infinite if there is none."""
    until_s: float = math.inf

    def __post_init__(self) -> None:
        self.advance()

    def advance(self) -> None:
        at_s = next(self.times, None)
        self.next_s = math.inf if at_s is None else self.begin_s + at_s

    @property
    def is_done(self) -> bool:
        return self.next_s >= self.until_s


class ArrivalAlarm:
    """The arrivals of one worker until they are due. Times are seconds of the run.

    ``hand_over`` is called in the event loop with the time for which each arrival was due. ``waiting`` returns how many
    of them have no user yet.
    """

    def __init__(
        self, now_s: Callable[[], float], hand_over: Callable[[float], None], waiting: Callable[[], int]
    ) -> None:
        self._now_s = now_s
        self._hand_over = hand_over
        self._waiting = waiting
        self._tickers: list[_Ticker] = []
        """Unfinished tickers. One that another follows has the arrivals due before the other's first."""
        # First: the times of responses in the same turn are noted, so they can wait.
        self._alarm = Alarm(self._on_alarm, priority=FIRST)
        self._is_held = False
        self._poller = poller()

    @property
    def is_done(self) -> bool:
        """Whether all arrivals have been handed over."""
        return not self._tickers

    def add(self, begin_s: float, times: Iterator[float]) -> None:
        """Add arrivals at ``times`` (s from ``begin_s``, ascending). Earlier ones end when the first of them is due."""
        ticker = _Ticker(times, begin_s)
        self.stop_at(begin_s if ticker.next_s == math.inf else ticker.next_s)
        self._tickers.append(ticker)

    def renew(self, begin_s: float, times: Iterator[float]) -> None:
        """The ``times`` that were added have changed: ask for the next arrival again."""
        self._tickers = [ticker for ticker in self._tickers if ticker.times is not times]
        self._tickers.append(_Ticker(times, begin_s))
        self._alarm.set(0)

    def stop_at(self, until_s: float) -> None:
        """Forget the arrivals that are due from ``until_s`` on."""
        for ticker in self._tickers:
            ticker.until_s = min(ticker.until_s, until_s)
        self._alarm.set(0)

    def _on_alarm(self) -> None:
        """Hand over arrivals that are due now or soon. This runs in the event loop, and users start on them at once."""
        with self._poller:
            # First of all: users that have their response are free then, and idle connections are known to be usable.
            self._poller.dispatch()
            next_s = self._start_due()
        left_s = next_s - _LEAD_S - self._now_s()
        if left_s < math.inf:
            self._alarm.set(left_s)
        # An arrival that waits for a user must not wait for a response that has come.
        self._hold(left_s < _HELD_S and not self._waiting())

    def _start_due(self) -> float:
        """Hand over arrivals that are due now or soon; returns when the next one is due."""
        now_s = self._now_s()
        turn_ends_s = now_s + TURN_S
        next_s = math.inf
        started = 0
        for ticker in list(self._tickers):
            # Counted from the next one, which makes two of 1,000 evenly spaced ones a second share a wake-up.
            together_s = max(now_s, min(ticker.next_s, now_s + _LEAD_S)) + TOGETHER_S + _ROUNDING_S
            while not ticker.is_done and ticker.next_s <= (together_s if started < AT_ONCE else now_s):
                if now_s > turn_ends_s:
                    break  # far behind: let other greenlets run, after which some users may be free
                due_s = ticker.next_s
                ticker.advance()
                self._hand_over(due_s)
                started += 1
                now_s = self._now_s()
            if ticker.is_done:
                self._tickers.remove(ticker)
            else:
                next_s = min(next_s, ticker.next_s)
        return next_s

    def _hold(self, hold: bool) -> None:
        """Have responses read at the next alarm, or as soon as they arrive."""
        if hold != self._is_held:
            self._is_held = hold
            if hold:
                self._poller.hold()
            else:
                self._poller.release()

"""Paces the iterations of one worker's users: freely in the closed model, by arrivals in the open one.

In the open model an arrival takes a free user, else a new one up to ``max_users``, else it waits in a queue, and the
response time of its first request goes on counting from when it was due. Nothing is dropped: arrivals that still wait
when the phase ends are served in the next, and those left at the run's end are reported.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import chain

import gevent
from gevent import get_hub, getcurrent
from greenlet import greenlet as Greenlet  # noqa: N812  (the type is spelt small)
from locust import User
from locust.exception import StopUser
from locust.user.task import LOCUST_STATE_RUNNING, LOCUST_STATE_STOPPING, LOCUST_STATE_WAITING

from harness.load.timer import Timer

LATE_S = 0.001
"""An iteration that begins more than this after its intended start is late."""


@dataclass
class _Ticker:
    """Arrivals of one phase, at ``times`` from ``begin_s``; those due from ``until_s`` on belong to another."""

    times: Iterator[float]
    begin_s: float
    until_s: float = math.inf


class Pacer:
    """One worker's. ``spawn`` starts one more user of whatever class is due."""

    def __init__(self, now_s: Callable[[], float], spawn: Callable[[], None]) -> None:
        self._now_s = now_s
        self._spawn = spawn
        self._free: deque[Greenlet] = deque()
        self._due: deque[float] = deque()
        self._ticker: _Ticker | None = None
        self._max_users = 0
        self.is_open = False
        self.iterations = 0
        self.late = 0

    @property
    def waiting(self) -> int:
        """Arrivals that are due and have no user yet."""
        return len(self._due)

    def open(self, begin_s: float, times: Iterator[float], max_users: int, users: Callable[[], int]) -> None:
        """Arrivals at these moments (seconds from ``begin_s``, ascending) start the iterations.

        Those of the stretch before go on until the first of them is due. ``users`` counts the users there are.
        """
        first_s = next(times, None)
        if self._ticker is not None:
            self._ticker.until_s = begin_s if first_s is None else begin_s + first_s
        self.is_open = True
        self._max_users = max_users
        if first_s is not None:
            self._ticker = _Ticker(chain([first_s], times), begin_s)
            gevent.spawn(self._tick, self._ticker, users)

    def close(self) -> None:
        """Users go at their own pace again: the closed model. Arrivals that wait are served by the users there are."""
        self._stop_ticker()
        self.is_open = False
        while self._free:
            self._wake(self._free.popleft())

    def end(self) -> int:
        """No more arrivals, at the run's end; how many still waited for a user and are given up.

        Users that wait for one go on waiting: they hold no request and are stopped where they stand.
        """
        self._stop_ticker()
        dropped = len(self._due)
        self._due.clear()
        return dropped

    def _stop_ticker(self) -> None:
        if self._ticker is not None:
            self._ticker.until_s = 0.0
            self._ticker = None

    def _tick(self, ticker: _Ticker, users: Callable[[], int]) -> None:
        timer = Timer()
        try:
            for at_s in ticker.times:
                due_s = ticker.begin_s + at_s
                ahead_s = due_s - self._now_s()
                if ahead_s > 0:
                    timer.sleep(ahead_s)
                if due_s >= ticker.until_s:
                    return
                self._due.append(due_s)
                if self._free:
                    self._wake(self._free.popleft())
                elif users() < self._max_users:
                    self._spawn()
        finally:
            timer.close()

    @staticmethod
    def _wake(user: Greenlet) -> None:
        # The arrival stays in the queue until the user takes it: one that is stopped meanwhile takes none with it.
        get_hub().loop.run_callback(user.switch)

    def next_start(self, user: User) -> float | None:
        """Block until ``user`` may begin its next iteration; the intended start (run seconds), None: now, freely.

        Raises ``StopUser`` where the user has been told to stop.
        """
        while self.is_open and not self._due:
            if user._state == LOCUST_STATE_STOPPING:
                raise StopUser
            self._wait_for_arrival(user)
        intended_s = self._due.popleft() if self._due else None
        self.iterations += 1
        if intended_s is not None and self._now_s() - intended_s > LATE_S:
            self.late += 1
        return intended_s

    def _wait_for_arrival(self, user: User) -> None:
        current = getcurrent()
        self._free.append(current)
        # A user that waits holds no request: like one in its think time, it may be stopped at once.
        user._state = LOCUST_STATE_WAITING
        try:
            get_hub().switch()
            if user._state == LOCUST_STATE_STOPPING:
                raise StopUser
        except BaseException:
            if current in self._free:
                self._free.remove(current)
            elif self._due and self._free:
                # It had been woken for an arrival that another free user must take now.
                self._wake(self._free.popleft())
            raise
        user._state = LOCUST_STATE_RUNNING

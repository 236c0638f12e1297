"""Paces the iterations of one worker's users: freely in the closed model, by arrivals in the open one.

In the open model an arrival belongs to a user class. It takes a free user of that class, else a new one up to
``max_users``, else it waits in a queue, and the response time of its first request goes on counting from when it was
due. (Were it given to whichever user is free, a class that the target answers slowly would be asked for ever less.)
Nothing is dropped: arrivals that still wait when the phase ends are served in the next, and those left at the run's
end are reported.
"""

from __future__ import annotations

import math
from collections import defaultdict, deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import chain

import gevent
import numpy as np
import numpy.typing as npt
from gevent import get_hub
from gevent.hub import Waiter
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
    """One worker's. ``choose`` names the class of the next arrival, ``spawn`` starts one more user of a class."""

    def __init__(
        self, now_s: Callable[[], float], choose: Callable[[], type[User]], spawn: Callable[[type[User]], None]
    ) -> None:
        self._now_s = now_s
        self._choose = choose
        self._spawn = spawn
        self._free: defaultdict[type[User], deque[Waiter[None]]] = defaultdict(deque)
        self._due: defaultdict[type[User], deque[tuple[float, float | None]]] = defaultdict(deque)
        """Arrivals without a user: when each was due, and, where no user was free, how late it was then already."""
        self._starts: list[float] = []
        self._known: dict[type[User], None] = {}
        """Classes that have had a user here."""
        self._thinking: set[Waiter[None]] = set()
        self._ticker: _Ticker | None = None
        self._max_users = 0
        self.is_open = False
        self.iterations = 0
        self.late = 0

    @property
    def waiting(self) -> int:
        """Arrivals that are due and have no user yet."""
        return sum(map(len, self._due.values()))

    def open(self, begin_s: float, times: Iterator[float], max_users: int, users: Callable[[], int]) -> None:
        """Arrivals at these moments (seconds from ``begin_s``, ascending) start the iterations.

        Those of the stretch before go on until the first of them is due. ``users`` counts the users there are.
        """
        first_s = next(times, None)
        if self._ticker is not None:
            self._ticker.until_s = begin_s if first_s is None else begin_s + first_s
        self.is_open = True
        for thinking in self._thinking:
            # Else an arrival would wait for a user's think time, which the open model does not have.
            self._wake(thinking)
        self._max_users = max_users
        if first_s is not None:
            self._ticker = _Ticker(chain([first_s], times), begin_s)
            gevent.spawn(self._tick, self._ticker, users)

    def close(self) -> None:
        """Users go at their own pace again: the closed model. Arrivals that wait are served by the users there are."""
        self._stop_ticker()
        self.is_open = False
        for free in self._free.values():
            while free:
                self._wake(free.popleft())

    def think(self, seconds: float) -> None:
        """Sleep that long (s, more than 0), or until the open model begins."""
        waiter: Waiter[None] = Waiter()
        self._thinking.add(waiter)
        timer = get_hub().loop.timer(seconds)
        timer.start(waiter.switch, None)
        try:
            waiter.get()
        finally:
            timer.close()
            self._thinking.discard(waiter)

    def end(self) -> int:
        """No more arrivals, at the run's end; how many still waited for a user and are given up.

        Users that wait for one go on waiting: they hold no request and are stopped where they stand.
        """
        self._stop_ticker()
        dropped = self.waiting
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
                room = users() < self._max_users
                kind = self._choose()
                if not room and kind not in self._known and self._known:
                    # Too few users for one of each class: then those that there are serve it.
                    kind = next(iter(self._known))
                free = self._free[kind]
                self._due[kind].append((due_s, None if free else self._now_s() - due_s))
                if free:
                    self._wake(free.popleft())
                elif room:
                    self._known[kind] = None
                    self._spawn(kind)
        finally:
            timer.close()

    @staticmethod
    def _wake(user: Waiter[None]) -> None:
        # The arrival stays in the queue until the user takes it: one that is stopped meanwhile takes none with it.
        get_hub().loop.run_callback(user.switch, None)

    def next_start(self, user: User) -> float | None:
        """Block until ``user`` may begin its next iteration; the intended start (run seconds), None: now, freely.

        Raises ``StopUser`` where the user has been told to stop.
        """
        kind = type(user)
        self._known[kind] = None
        due = self._due[kind]
        if not self.is_open and not due:
            self.iterations += 1
            return None
        while self.is_open and not due:
            if user._state == LOCUST_STATE_STOPPING:
                raise StopUser
            self._wait_for_arrival(user)
            if not self.is_open and not due:
                # Set free by a closed phase: it goes on as after an iteration, by thinking (an arrival would end that).
                user.wait()
        self.iterations += 1
        if not due:
            return None
        intended_s, own_s = due.popleft()
        delay_s = self._now_s() - intended_s
        if delay_s > LATE_S:
            self.late += 1
        self._starts += (intended_s, delay_s, delay_s if own_s is None else own_s)
        return intended_s

    def take_starts(self) -> npt.NDArray[np.float64]:
        """Hand over and forget the arrivals started since the last call, a row each, in seconds: when it was due
        (of the run), how much later it was started, and how much of that was the generator's own doing.
        """
        starts, self._starts = self._starts, []
        return np.array(starts).reshape(-1, 3)

    def _wait_for_arrival(self, user: User) -> None:
        waiter: Waiter[None] = Waiter()
        free = self._free[type(user)]
        free.append(waiter)
        # A user that waits holds no request: like one in its think time, it may be stopped at once.
        user._state = LOCUST_STATE_WAITING
        try:
            waiter.get()
            if user._state == LOCUST_STATE_STOPPING:
                raise StopUser
        except BaseException:
            if waiter in free:
                free.remove(waiter)
            elif self._due[type(user)] and free:
                # It had been woken for an arrival that another free user must take now.
                self._wake(free.popleft())
            raise
        user._state = LOCUST_STATE_RUNNING

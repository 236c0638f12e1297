"""Decides when the users of one worker begin their iterations: freely in the closed model, by arrivals in the open one.

In the open model, an arrival belongs to a user class. It takes a free user of that class, or else a new one up to
``max_users``, or else it waits in a queue, and the response time of its first request still counts from when it was
due. (If it took any free user, a class to which the target responds slowly would get ever fewer arrivals.) Nothing is
dropped: arrivals that still wait when the phase ends are served in the next, and those at the run's end within the stop
timeout. What is left then is reported. A scheduler that was delayed hands over all arrivals that have become due.

Waking up costs a worker more than a request. So each wake-up also starts up to :data:`AT_ONCE` arrivals that are due
within :data:`TOGETHER_S`, a little early. Their response times count from the actual send: they include no wait that
the scheduler caused, and all that the target caused. If the next wake-up is near, it also reads the responses that come
meanwhile, which the kernel has timestamped; see :mod:`harness.engine.socket_poller`.

A user is created for an arrival only after one more turn of the event loop. After a hiccup of the machine, responses
wait in the sockets and their users will be free at once. Creating users first would take time, make more arrivals late
and so create still more users (from 58 to 400 within 0.2 s when measured).
"""

from __future__ import annotations

import math
from collections import defaultdict, deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import gevent
from gevent import get_hub
from gevent.hub import Waiter
from locust import User

from harness.engine.locust.user_state import begin_waiting, end_waiting
from harness.engine.pacing.pauses import Pauses
from harness.engine.pacing.timer import FIRST, LAST, Alarm
from harness.engine.socket_poller import poller

LATE_S = 0.001
"""An iteration that begins more than this after its intended start is late."""
TOGETHER_S = 0.001
"""One wake-up starts the arrivals due within this after the next one, early."""
AT_ONCE = 16
"""The most arrivals that one wake-up starts early."""
_HELD_S = 0.002
"""If the next wake-up is due within this, it also reads the responses that come until then."""
_ROUNDING_S = 1e-6
_LEAD_S = 0.0002
"""How long it takes to wake up: the alarm rings so much before the next arrival is due."""
_TURN_S = 0.001
"""How often a scheduler that is behind yields to other greenlets."""


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


class ArrivalScheduler:
    """The scheduler of one worker.

    ``choose`` returns the class of the next arrival, ``spawn`` starts one more user of a class, ``note`` records how
    late each arrival was started (:meth:`harness.engine.lateness_recorder.LatenessRecorder.note`).
    """

    def __init__(
        self,
        now_s: Callable[[], float],
        choose: Callable[[], type[User]],
        spawn: Callable[[type[User]], None],
        note: Callable[[float, float, float], None],
    ) -> None:
        self._now_s = now_s
        self._choose = choose
        self._spawn = spawn
        self._note = note
        self._free: defaultdict[type[User], deque[Waiter[float | None]]] = defaultdict(deque)
        self._due: defaultdict[type[User], deque[tuple[float, float | None]]] = defaultdict(deque)
        """Arrivals without a user: when each was due and, if no user was free, how late it already was then."""
        self._known: dict[type[User], None] = {}
        """Classes that have had a user in this worker."""
        self._thinking: set[Waiter[None]] = set()
        self._tickers: list[_Ticker] = []
        """Unfinished tickers. One that another follows has the arrivals due before the other's first."""
        self._max_users = 0
        self._users: Callable[[], int] = lambda: 0
        self._unserved: deque[tuple[type[User], float]] = deque()
        """Arrivals that found no free user: class and when due."""
        # First: the times of responses in the same turn are noted, so they can wait.
        self._alarm = Alarm(self._on_alarm, priority=FIRST)
        self._is_held = False
        self._is_creating = False
        self._creation = Alarm(self._begin_creating, priority=LAST)
        self._poller = poller()
        self.is_open = False
        self.pauses = Pauses()
        """When users of the closed model begin nothing, and their think time stands still."""
        self.iterations = 0
        self.late = 0

    @property
    def waiting(self) -> int:
        """The number of arrivals that are due and have no user yet."""
        return sum(map(len, self._due.values()))

    def open(self, begin_s: float, times: Iterator[float], max_users: int, users: Callable[[], int]) -> None:
        """From now on, arrivals at ``times`` (seconds from ``begin_s``, ascending) start the iterations.

        Earlier arrivals continue until the first of them is due. ``users`` returns the current number of users.
        """
        ticker = _Ticker(times, begin_s)
        self._no_arrivals_from(begin_s if ticker.next_s == math.inf else ticker.next_s)
        self.is_open = True
        for thinking in self._thinking:
            # The open model has no think time: an arrival must not wait for it.
            self._wake(thinking)
        self._max_users, self._users = max_users, users
        self._tickers.append(ticker)
        self._alarm.set(0)

    def reopen(self, begin_s: float, times: Iterator[float], max_users: int) -> None:
        """The ``times`` passed to :meth:`open` have changed: ask for the next arrival again."""
        self._max_users = max_users
        self._tickers = [ticker for ticker in self._tickers if ticker.times is not times]
        self._tickers.append(_Ticker(times, begin_s))
        self._alarm.set(0)

    def close(self, at_s: float) -> None:
        """From ``at_s``, which is now, users go at their own pace: the closed model.

        The existing users serve arrivals that were due before.
        """
        self._no_arrivals_from(at_s)
        self._max_users = 0
        self.is_open = False
        for free in self._free.values():
            while free:
                self._wake(free.popleft())

    def think(self, seconds: float) -> None:
        """Sleep for that long (s, more than 0) without pauses, or until the open model begins."""
        if self.pauses:
            seconds = self.pauses.after(self._now_s(), seconds)
        waiter: Waiter[None] = Waiter()
        self._thinking.add(waiter)
        timer = get_hub().loop.timer(seconds)
        timer.start(waiter.switch, None)
        try:
            waiter.get()
        finally:
            timer.close()
            self._thinking.discard(waiter)

    def end(self) -> None:
        """Accept no more arrivals, at the run's end; those that are due are still served.

        Returns when each of them has a user or is :attr:`waiting` for one.
        """
        self._no_arrivals_from(self._now_s())
        while self._tickers:
            gevent.sleep(_TURN_S)

    def give_up(self) -> int:
        """Drop the arrivals that still wait for a user; how many there were.

        Users that wait for an arrival continue to wait: they hold no request and can be stopped at once.
        """
        dropped = self.waiting
        self._due.clear()
        return dropped

    def _no_arrivals_from(self, until_s: float) -> None:
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
        self._hold(left_s < _HELD_S and not self.waiting)

    def _start_due(self) -> float:
        """Hand over arrivals that are due now or soon; returns when the next one is due."""
        now_s = self._now_s()
        turn_ends_s = now_s + _TURN_S
        next_s = math.inf
        started = 0
        for ticker in list(self._tickers):
            # Counted from the next one, which makes two of 1,000 evenly spaced ones a second share a wake-up.
            together_s = max(now_s, min(ticker.next_s, now_s + _LEAD_S)) + TOGETHER_S + _ROUNDING_S
            while not ticker.is_done and ticker.next_s <= (together_s if started < AT_ONCE else now_s):
                if now_s > turn_ends_s:
                    break  # far behind: let others run, and then some users may be free
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

    def _hand_over(self, due_s: float) -> None:
        """Give an arrival that was due then to a free user, or else put it in the queue."""
        kind = self._choose()
        free = self._free[kind]
        if free:
            free.popleft().switch(due_s)
            return
        room = kind in self._known or self._users() < self._max_users
        if not room and self._known:
            # There are fewer users than classes: one of an existing class serves it.
            kind = next(iter(self._known))
        free = self._free[kind]
        if free:
            free.popleft().switch(due_s)
            return
        self._due[kind].append((due_s, self._now_s() - due_s))
        if self._users() < self._max_users:
            self._unserved.append((kind, due_s))
            self._creation.set(0)

    def _begin_creating(self) -> None:
        self._poller.dispatch()
        gevent.spawn(self._create_users)

    def _create_users(self) -> None:
        """Create users for the arrivals that have found none, up to ``max_users``."""
        if self._is_creating:
            return  # a user's __init__ blocks: that user does not count yet
        self._is_creating = True
        try:
            turn_ends_s = self._now_s() + _TURN_S
            while self._unserved and self._now_s() < turn_ends_s:
                kind, due_s = self._unserved.popleft()
                due = self._due[kind]
                if due and due[0][0] <= due_s and self._users() < self._max_users:
                    self._known[kind] = None
                    self._spawn(kind)
        finally:
            self._is_creating = False
            if self._unserved:
                self._creation.set(0)

    @staticmethod
    def _wake(user: Waiter[Any]) -> None:
        """Have a user look at the queue, in which arrivals stay until it takes one: it may be stopped meanwhile."""
        get_hub().loop.run_callback(user.switch, None)

    def next_start(self, user: User) -> float | None:
        """Block until ``user`` may begin its next iteration; its due time (run seconds), None in the closed model.

        Raises ``StopUser`` if the user is to stop.
        """
        kind = type(user)
        self._known[kind] = None
        due = self._due[kind]
        if self.pauses:
            self._wait_out_pauses(user)
        if not self.is_open and not due:
            self.iterations += 1
            return None
        while self.is_open and not due:
            due_s = self._wait_for_arrival(user)
            if due_s is not None:
                self.iterations += 1
                delay_s = self._now_s() - due_s
                if delay_s > LATE_S:
                    self.late += 1
                self._note(due_s, delay_s, delay_s)
                return due_s
            if not self.is_open and not due:
                # A closed phase began: continue as after an iteration, with think time (which an arrival would end).
                user.wait()
        self.iterations += 1
        if not due:
            return None
        intended_s, own_s = due.popleft()
        delay_s = self._now_s() - intended_s
        if delay_s > LATE_S:
            self.late += 1
        self._note(intended_s, delay_s, delay_s if own_s is None else own_s)
        return intended_s

    def _wait_out_pauses(self, user: User) -> None:
        while not self.is_open and (paused_s := self.pauses.left(self._now_s())):
            begin_waiting(user)
            gevent.sleep(paused_s)
            end_waiting(user)

    def _wait_for_arrival(self, user: User) -> float | None:
        """Wait until the user is handed an arrival, and return when it was due; None: it was woken for the queue."""
        begin_waiting(user)
        waiter: Waiter[float | None] = Waiter()
        free = self._free[type(user)]
        free.append(waiter)
        due_s = None
        try:
            due_s = waiter.get()
            end_waiting(user)
            return due_s
        except BaseException:  # raised again: the user was stopped or killed
            if due_s is not None:
                self._due[type(user)].appendleft((due_s, None))
            if waiter in free:
                free.remove(waiter)
            elif self._due[type(user)] and free:
                # It had been woken for an arrival that another free user must now take.
                self._wake(free.popleft())
            raise

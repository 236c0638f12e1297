"""Decides when a worker's users start iterations: freely (closed model) or by arrivals (open).

In the open model, an arrival belongs to a user class. It takes a free user of that class, or else a new one up to
``max_users``, or else it waits in a queue, and the response time of its first request still counts from when it was
due. (If it took any free user, a class to which the target responds slowly would get ever fewer arrivals.) Nothing is
dropped: arrivals that still wait when the phase ends are served in the next, and those at the run's end within the stop
timeout. What is left then is reported.

A user is created for an arrival only after one more turn of the event loop. After a hiccup of the machine, responses
wait in the sockets and their users will be free at once. Creating users first would take time, make more arrivals late
and so create still more users (from 58 to 400 within 0.2 s when measured).
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Callable, Iterator
from typing import Any

import gevent
from gevent import get_hub
from gevent.hub import Waiter
from locust import User

from harness.engine.locust.user_state import begin_waiting, end_waiting
from harness.engine.pacing.arrival_alarm import TURN_S, ArrivalAlarm
from harness.engine.pacing.pauses import Pauses
from harness.engine.pacing.timer import LAST, Alarm
from harness.engine.socket_poller import poller

LATE_S = 0.001
"""An iteration that begins more than this after its intended start is late."""


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
        self._max_users = 0
        self._users: Callable[[], int] = lambda: 0
        self._unserved: deque[tuple[type[User], float]] = deque()
        """Arrivals that found no free user: class and when due."""
        self._alarm = ArrivalAlarm(now_s, self._hand_over, lambda: self.waiting)
        self._is_creating = False
        self._creation = Alarm(self._begin_creating, priority=LAST)
        self._poller = poller()
        self.is_open = False
        self.pauses = Pauses()
        """When users of the closed model start no iteration, and their think time is paused."""
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
        self._alarm.add(begin_s, times)
        self.is_open = True
        for thinking in self._thinking:
            # The open model has no think time: an arrival must not wait for it.
            self._wake(thinking)
        self._max_users, self._users = max_users, users

    def reopen(self, begin_s: float, times: Iterator[float], max_users: int) -> None:
        """The ``times`` passed to :meth:`open` have changed: ask for the next arrival again."""
        self._max_users = max_users
        self._alarm.renew(begin_s, times)

    def close(self, at_s: float) -> None:
        """From ``at_s``, which is now, users go at their own pace: the closed model.

        The existing users serve arrivals that were due before.
        """
        self._alarm.stop_at(at_s)
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
        self._alarm.stop_at(self._now_s())
        while not self._alarm.is_done:
            gevent.sleep(TURN_S)

    def give_up(self) -> int:
        """Drop the arrivals that still wait for a user; how many there were.

        Users that wait for an arrival continue to wait: they hold no request and can be stopped at once.
        """
        dropped = self.waiting
        self._due.clear()
        return dropped

    def _hand_over(self, due_s: float) -> None:
        """Give an arrival that was due then to a free user, or else put it in the queue."""
        kind = self._choose()
        free = self._free[kind]
        if not free and self._known and kind not in self._known and self._users() >= self._max_users:
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
            turn_ends_s = self._now_s() + TURN_S
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
        """Wake a user to take an arrival. Arrivals stay queued until it does, because it may be stopped meanwhile."""
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
        while self.is_open and not due:
            due_s = self._wait_for_arrival(user)
            if due_s is not None:
                return self._begin(due_s)
            if not self.is_open and not due:
                # A closed phase began: continue as after an iteration, with think time (which an arrival would end).
                user.wait()
        if due:
            return self._begin(*due.popleft())
        self.iterations += 1
        return None

    def _begin(self, due_s: float, own_s: float | None = None) -> float:
        """Count an arrival that its user begins now. ``own_s``: how much of the delay was not a wait for a user."""
        self.iterations += 1
        delay_s = self._now_s() - due_s
        if delay_s > LATE_S:
            self.late += 1
        self._note(due_s, delay_s, delay_s if own_s is None else own_s)
        return due_s

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

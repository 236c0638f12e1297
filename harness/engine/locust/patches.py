"""Patches Locust in load workers: pacing, think time, task order and interrupted requests.

Locust has no events for these, so some of its methods are wrapped, in the process of a load worker only. Locustfiles of
any kind run unchanged.
"""

from __future__ import annotations

from enum import Enum, auto
from functools import cache
from typing import Any

import gevent
from gevent import get_hub, getcurrent
from greenlet import greenlet
from locust import TaskSet, User, argument_parser, runners
from locust.clients import HttpSession
from locust.contrib.fasthttp import FastHttpSession
from locust.exception import StopUser
from locust.user.task import LOCUST_STATE_STOPPING, LOCUST_STATE_WAITING, DefaultTaskSet

from harness.engine.clones import end_clone
from harness.engine.host_guard import Guard
from harness.engine.locust.forgotten_requests import Method, record_forgotten_requests, wrap
from harness.engine.locust.user_state import begin_waiting, end_waiting
from harness.engine.pacing.arrival_scheduler import ArrivalScheduler
from harness.engine.pacing.task_shuffler import TaskShufflers
from harness.engine.recorder import IntendedStarts
from harness.plan.hosts import host_of


class _UserState(Enum):
    """What a user has done since it last waited."""

    IDLE = auto()
    AT_A_TASK = auto()
    SERVED = auto()
    """It has run a task."""


def patch_locust(
    scheduler: ArrivalScheduler, starts: IntendedStarts, under_way: set[greenlet], guarding: Guard
) -> None:
    """Apply all patches of a worker but the order of tasks; see the functions below for the arguments."""
    _pace_iterations(scheduler, starts)
    spare_the_event_loop()
    wrap(User, "stop", _stopping_between_iterations)
    record_forgotten_requests(under_way)
    if guarding.rate_limiters:
        apply_rate_limits(guarding)


def _pace_iterations(scheduler: ArrivalScheduler, starts: IntendedStarts) -> None:
    """Let the scheduler decide when each iteration begins: one run of a task that is not itself a ``TaskSet``.

    In the open model, arrivals set the pace and think time is skipped. ``starts`` holds when each iteration was due:
    from then on the recorder counts the response time of its first request.

    Every iteration passes through this code. So the state of a user is stored on the user itself, and the closed model
    does no work that only the open model needs.
    """
    idle, at_a_task, served = _UserState
    every_user: Any = User
    every_user._harness_state = idle
    every_user._harness_turn = -1
    loop = get_hub().loop

    def paced(execute_task: Method) -> Method:
        def execute_paced(self: Any, task: Any) -> None:
            if isinstance(task, type) and issubclass(task, TaskSet):
                execute_task(self, task)
                return
            end_clone()  # on_start, say, has forked it off
            user = self._user
            intended_s = scheduler.next_start(user)
            user._harness_state = at_a_task
            if intended_s is not None:
                starts[getcurrent()] = intended_s
            try:
                execute_task(self, task)
            finally:
                end_clone()
                if intended_s is not None:
                    starts.pop(getcurrent(), None)
                user._harness_state = served

        return execute_paced

    def thinking(_: Method) -> Method:
        def wait_if_closed(self: Any) -> None:
            user = self._user
            # A user that ran no task (because its TaskSet's on_start raised, say) took no arrival: without a wait it
            # would retry in an endless loop.
            if not scheduler.is_open or user._harness_state is idle:
                begin_waiting(user)
                self._sleep(self.wait_time())
                end_waiting(user)
            elif user._state == LOCUST_STATE_STOPPING:
                raise StopUser
            if user._harness_state is served:
                user._harness_state = idle

        return wait_if_closed

    def sleeping(_: Method) -> Method:
        def sleep_or_take_turns(self: Any, seconds: float) -> None:
            if seconds > 0:
                scheduler.think(seconds)
                return
            # Without think time, a user only yields to others. They have had their turn if the event loop has run
            # since, as it does during a request.
            user = self._user
            if user._harness_turn == loop.iteration:
                gevent.sleep(0)
            user._harness_turn = loop.iteration

        return sleep_or_take_turns

    for task_set in (TaskSet, DefaultTaskSet):
        wrap(task_set, "execute_task", paced)
    wrap(TaskSet, "wait", thinking)
    wrap(TaskSet, "_sleep", sleeping)


def shuffle_tasks(shufflers: TaskShufflers) -> None:
    """Users and task sets get their tasks from ``shufflers`` instead of Locust's ``random.choice``.

    A class with its own ``get_next_task`` (``SequentialTaskSet``, ``MarkovTaskSet``, one of the scenario) keeps it.
    """

    def next_of_set(choose: Method) -> Method:
        # Without tasks, Locust's own method reports what is missing.
        return lambda self: shufflers.next_of(self.tasks, type(self)) if self.tasks else choose(self)

    def next_of_user(choose: Method) -> Method:
        def next_place(self: Any) -> Any:
            user = self._user
            return shufflers.next_of(user.tasks, type(user)) if user.tasks else choose(self)

        return next_place

    wrap(TaskSet, "get_next_task", next_of_set)
    wrap(DefaultTaskSet, "get_next_task", next_of_user)


def spare_the_event_loop() -> None:
    """Keep Locust's worker from blocking whenever users are added, and when they stop.

    For each of some 70 options in a spawn message, Locust builds its whole argument parser again. That blocks all users
    for 150-300 ms, which their response times include. The defaults do not change, so they are built once. The harness
    reads no option from the environment, so a value there that Locust would reject ends no worker.

    When a runner stops, Locust looks for the source of all its callers, for a line at the level ``DEBUG``. That takes
    40 ms. Without ``inspect``, it says there that the caller is unknown.
    """
    wrap(argument_parser, "default_args_dict", lambda _: cache(_default_options))
    vars(runners)["inspect"] = None


def _default_options() -> dict[str, Any]:
    parser = argument_parser.get_empty_argument_parser()
    argument_parser.setup_parser_arguments(parser)
    parser._default_config_files = []
    options: dict[str, Any] = vars(parser.parse_args([], env_vars={}))
    return options


def _stopping_between_iterations(stop: Method) -> Method:
    """Stop a user in its think time there, and never in the middle of its next request.

    Locust kills the greenlet of a waiting user. If its think time ends in the same turn of the event loop, it has sent
    a request by the time the kill arrives. Marked as stopping first, it ends itself when it wakes.
    """

    def stop_marked(self: User, force: bool = False) -> Any:
        if force or self._state != LOCUST_STATE_WAITING:
            return stop(self, force)
        self._state = LOCUST_STATE_STOPPING
        self.group.killone(self.greenlet)
        return True

    return stop_marked


def apply_rate_limits(guarding: Guard) -> None:
    """Locust's own clients wait for the rate limit of a request's host before they send it and start its time.

    A redirect does not wait again.
    """

    def waiting(request: Method) -> Method:
        def request_in_turn(self: Any, method: str, url: Any, *rest: Any, **more: Any) -> Any:
            rate_limiter = guarding.rate_limiter(host_of(self._build_url(str(url))))
            if rate_limiter is not None:
                rate_limiter.take_turn()
            return request(self, method, url, *rest, **more)

        return request_in_turn

    for session in (FastHttpSession, HttpSession):
        wrap(session, "request", waiting)

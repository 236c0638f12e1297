"""How Locust's master hands out users to workers: whether it does so now, and where it begins."""

from __future__ import annotations

from inspect import GEN_CLOSED, getgeneratorstate

from locust.runners import MasterRunner


def is_dispatching(runner: MasterRunner) -> bool:
    """Whether the number of users is being changed, which also moves those of a lost worker."""
    # Locust's own flag stays set once it has moved a lost worker's users.
    dispatch = None if runner._users_dispatcher is None else runner._users_dispatcher._dispatcher_generator
    return dispatch is not None and getgeneratorstate(dispatch) != GEN_CLOSED


def assume_users(runner: MasterRunner, users: int) -> None:
    """Take it that so many users run: the next ``start`` begins there, and makes the workers' numbers agree."""
    if runner._users_dispatcher is not None:
        runner._users_dispatcher.new_dispatch(users, spawn_rate=max(1, users, runner.user_count))
        for _ in runner._users_dispatcher:
            pass

"""The state that Locust keeps of each user: running a task, waiting, or about to stop."""

from __future__ import annotations

from locust import User
from locust.exception import StopUser
from locust.user.task import LOCUST_STATE_RUNNING, LOCUST_STATE_STOPPING, LOCUST_STATE_WAITING


def begin_waiting(user: User) -> None:
    """The user holds no request now: Locust may stop it at once, like one in its think time.

    Raises ``StopUser`` if it is about to stop.
    """
    if user._state == LOCUST_STATE_STOPPING:
        raise StopUser
    user._state = LOCUST_STATE_WAITING


def end_waiting(user: User) -> None:
    """The user runs a task again. Raises ``StopUser`` if it is to stop instead."""
    if user._state == LOCUST_STATE_STOPPING:
        raise StopUser
    user._state = LOCUST_STATE_RUNNING

"""A scenario's listeners in the course of a run: they are called as Locust would, and what they raise is told."""

from __future__ import annotations

import logging
import traceback
from collections.abc import Callable
from typing import Any

from locust import log
from locust.env import Environment
from locust.runners import STATE_RUNNING, MasterRunner, WorkerRunner

from harness.engine.recorder import describe_failure

_LISTENER_FAILED = "Uncaught exception in event handler"
_HANDLER_FAILED = "Uncaught exception in handler for"
_GREENLET_FAILED = "Unhandled exception in greenlet"


logger = logging.getLogger(__name__)


class ListenerError(Exception):
    """A listener of ``init`` raised. Locust, too, ends there."""


class ListenerFailures(logging.Handler):
    """Hears of what listeners, message handlers and greenlets of a scenario raised: Locust tells its log alone.

    ``tell`` is given one line each time.
    """

    def __init__(self, tell: Callable[[str], None]) -> None:
        super().__init__(logging.ERROR)
        self._tell = tell

    def emit(self, record: logging.LogRecord) -> None:
        text = record.getMessage()
        if text.startswith((_LISTENER_FAILED, _HANDLER_FAILED)):
            self._tell(f"a listener raised {text.strip().splitlines()[-1]}")
        elif text.startswith(_GREENLET_FAILED) and record.exc_info and record.exc_info[0]:
            raised = traceback.format_exception_only(*record.exc_info[:2])[-1]
            self._tell(f"a greenlet ended with {raised.strip()}")


def fire_init(environment: Environment) -> None:
    """Fire ``init``. Raises :class:`ListenerError` where a listener raised, after all have been called."""
    failures: list[str] = []
    hears = ListenerFailures(failures.append)
    logging.getLogger().addHandler(hears)
    try:
        environment.events.init.fire(environment=environment, runner=environment.runner, web_ui=None)
    finally:
        logging.getLogger().removeHandler(hears)
    if log.unhandled_greenlet_exception:
        raise ListenerError(f"the event init: {'; '.join(failures)}")


def hold_back_spawning_complete(environment: Environment) -> Callable[[], None]:
    """Keep ``spawning_complete`` from listeners until the function that is returned is called.

    Before a run begins the workers are told to run no users, which prepares the test; who waits for all users to be
    there must not take that for it.
    """
    event = environment.events.spawning_complete
    fire = event.fire

    def held_back(**_: object) -> None:
        assert environment.runner is not None
        environment.runner.update_state(STATE_RUNNING)

    def let_through() -> None:
        setattr(event, "fire", fire)  # noqa: B010  (a method, which mypy keeps from being assigned)

    setattr(event, "fire", held_back)  # noqa: B010
    return let_through


def start_test(environment: Environment, runner: MasterRunner, users: int) -> None:
    """Have the workers prepare the test, ``test_start`` included, with no users as yet.

    In the meantime listeners find in ``runner.target_user_count`` how many ``users`` there will be at most.
    """
    handlers = environment.events.test_start._handlers

    def tell(**_: object) -> None:
        runner.target_user_count = users

    def take_back(**_: object) -> None:
        runner.target_user_count = 0

    handlers[:] = [tell, *handlers, take_back]
    runner.start(0, 1)


def tell_users_that_cannot_be_made(runner: WorkerRunner, tell: Callable[[str], None]) -> None:
    """Where making a user raises, Locust makes none of those it still had to make: the load is less than was asked."""
    spawn_users = runner.spawn_users

    def spawn_and_tell(*arguments: Any, **more: Any) -> Any:
        try:
            return spawn_users(*arguments, **more)
        except Exception as error:  # user code may raise anything; those that were made before go on
            logger.exception("a user cannot be made")
            tell(f"a user cannot be made: {describe_failure(error, None)}")
            return []

    setattr(runner, "spawn_users", spawn_and_tell)  # noqa: B010


def fire_quit(environment: Environment) -> None:
    """Fire ``quit``, the last event of a process."""
    environment.events.quit.fire(exit_code=environment.process_exit_code or 0)

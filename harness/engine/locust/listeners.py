"""Calls a scenario's listeners as Locust would, and reports what they raise."""

from __future__ import annotations

import logging
import traceback
from collections.abc import Callable
from typing import Any

from locust import log
from locust.env import Environment
from locust.runners import STATE_RUNNING, MasterRunner, WorkerRunner

from harness.engine.failure_details import describe_failure
from harness.messages import Message, message

_LISTENER_FAILED = "Uncaught exception in event handler"
_HANDLER_FAILED = "Uncaught exception in handler for"
_GREENLET_FAILED = "Unhandled exception in greenlet"


logger = logging.getLogger(__name__)


class ListenerError(Exception):
    """A listener of ``init`` raised; like Locust, the process ends then."""


class ListenerFailures(logging.Handler):
    """Reports what listeners, message handlers and greenlets of a scenario raised; Locust only logs it."""

    def __init__(self, report: Callable[[Message], None]) -> None:
        super().__init__(logging.ERROR)
        self._report = report

    def emit(self, record: logging.LogRecord) -> None:
        text = str(record.msg)  # not yet filled in: where a scenario's arguments do not fit, that would raise
        if text.startswith((_LISTENER_FAILED, _HANDLER_FAILED)):
            error = record.getMessage().strip().splitlines()[-1]
            self._report(message("listener-raised", error=error))
        elif text.startswith(_GREENLET_FAILED) and record.exc_info and record.exc_info[0]:
            error = traceback.format_exception_only(*record.exc_info[:2])[-1].strip()
            self._report(message("greenlet-raised", error=error))


def fire_init(environment: Environment) -> None:
    """Fire ``init``. Raises :class:`ListenerError` if a listener raised, after all have been called."""
    failures: list[Message] = []
    handler = ListenerFailures(failures.append)
    logging.getLogger().addHandler(handler)
    try:
        environment.events.init.fire(environment=environment, runner=environment.runner, web_ui=None)
    finally:
        logging.getLogger().removeHandler(handler)
    if log.unhandled_greenlet_exception:
        raise ListenerError(f"the event init: {'; '.join(map(str, failures))}")


def hold_back_spawning_complete(environment: Environment) -> Callable[[], None]:
    """Keep ``spawning_complete`` from listeners until the returned function is called.

    Before a run begins, the workers prepare the test by spawning no users. Listeners that wait for all users must not
    mistake that for the end of spawning.
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
    """Have the workers prepare the test, including ``test_start``, without users.

    Meanwhile, listeners find the maximum number of ``users`` in ``runner.target_user_count``.
    """
    handlers = environment.events.test_start._handlers

    def announce(**_: object) -> None:
        runner.target_user_count = users

    def take_back(**_: object) -> None:
        runner.target_user_count = 0

    handlers[:] = [announce, *handlers, take_back]
    runner.start(0, 1)


def report_failed_users(runner: WorkerRunner, report: Callable[[Message], None]) -> None:
    """Report users whose constructor raises: Locust then makes none of the remaining ones, and the load is too low."""
    spawn_users = runner.spawn_users

    def spawn_or_report(*arguments: Any, **more: Any) -> Any:
        try:
            return spawn_users(*arguments, **more)
        except Exception as error:  # user code may raise anything; those that were made before go on
            logger.exception("a user could not be created")
            report(user_not_created(error))
            return []

    setattr(runner, "spawn_users", spawn_or_report)  # noqa: B010


def user_not_created(error: Exception) -> Message:
    """The constructor of a user class raised ``error``."""
    return message("user-not-created", error=describe_failure(error, None))


def exit_code_of(environment: Environment) -> int | None:
    """``environment.process_exit_code``, which user code sets. What no process can exit with counts as 1."""
    code: object = environment.process_exit_code
    if code is None:
        return None
    return int(code) if isinstance(code, int) and code.bit_length() < 32 else 1


def fire_quit(environment: Environment) -> None:
    """Fire ``quit``, the last event of a process."""
    environment.events.quit.fire(exit_code=environment.process_exit_code or 0)


def listeners_of(event: Any) -> list[Callable[..., Any]]:
    """The listeners of ``event``, in the order in which they are called."""
    return list(event._handlers)


def listen_first(event: Any, listener: Callable[..., Any]) -> None:
    """Call ``listener`` before all others: one that raises ``StopUser`` keeps those behind it from being called."""
    event._handlers.insert(0, listener)


def sole_recorder(event: Any, environment: Any) -> Any:
    """The environment's recorder if it is the only listener of ``event``, else None."""
    recorder = getattr(environment, "harness_recorder", None)
    if recorder is not None:
        listeners = event._handlers
        if len(listeners) == 1 and getattr(listeners[0], "__self__", None) is recorder:
            return recorder
    return None

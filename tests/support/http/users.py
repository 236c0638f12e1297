"""HTTP users without a run: the test calls the client of one user and sees each recorded request.

Locust is imported without monkey-patching, which would affect every other test of the process. Both clients use the
sockets of gevent explicitly, so they work without it. The servers of :mod:`tests.support.http.hostile` run in greenlets
beside them, the others in threads or processes.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, TypeVar

import gevent
from gevent import monkey

_UNPATCHED = "LOCUST_SKIP_MONKEY_PATCH"
os.environ[_UNPATCHED] = "1"
try:
    import locust
    from locust import argument_parser as argument_parser
    from locust.env import Environment
    from locust.event import Events

    import harness
finally:
    # Processes that other tests start must be patched.
    del os.environ[_UNPATCHED]

if monkey.is_module_patched("socket"):
    raise RuntimeError("another test module has imported locust, which patches this process; import it from here")

Result = TypeVar("Result")

LOCUST: type[Any] = locust.FastHttpUser
HARNESS: type[Any] = harness.HttpUser
BASES = {"locust": LOCUST, "harness": HARNESS}

LONGEST_CALL_S = 20.0
"""A call that takes longer hangs, since the timeouts of the tests are far shorter."""


def is_time_out(failure: Any) -> bool:
    """Whether it is a timeout, of either client."""
    return isinstance(failure, TimeoutError) or "timed out" in str(failure)


@dataclass
class Driven:
    """A user and its recorded requests."""

    user: Any
    recorded: list[dict[str, Any]] = field(default_factory=list)
    """The arguments of each ``request`` event, in order."""

    @property
    def client(self) -> Any:
        return self.user.client

    @property
    def last(self) -> dict[str, Any]:
        """The only request recorded since the last use of :attr:`last` or :meth:`call`."""
        assert len(self.recorded) == 1, [(r["request_type"], r["name"], r["exception"]) for r in self.recorded]
        return self.recorded.pop()

    def call(self, function: Callable[[], Result]) -> Result:
        """The result of ``function()``, run in a greenlet as a task would be. It must not hang."""
        self.recorded.clear()
        task = gevent.spawn(function)
        try:
            return task.get(timeout=LONGEST_CALL_S)
        except gevent.Timeout:
            raise AssertionError(f"the call hangs: not back after {LONGEST_CALL_S:g} s") from None
        finally:
            task.kill()

    def wait_until(self, holds: Callable[[], bool]) -> None:
        """Let the event loop run until ``holds()``."""

        def wait() -> None:
            while not holds():
                gevent.sleep(0.01)

        self.call(wait)

    def request(self, method: str, url: str, **options: Any) -> Any:
        """``client.request`` in :meth:`call`."""
        return self.call(lambda: self.client.request(method, url, **options))

    def get(self, url: str, **options: Any) -> Any:
        """``client.get`` in :meth:`call`."""
        return self.call(lambda: self.client.get(url, **options))

    def get_in_time(self, url: str) -> Any:
        """``client.get``, repeated after a timeout, because a busy machine may pause for longer than a short limit."""
        for _ in range(20):
            response = self.get(url)
            if not is_time_out(self.last["exception"]):
                break
        return response


@contextmanager
def driven(base: type[Any], host: str, **settings: Any) -> Iterator[Driven]:
    """A user of a subclass of ``base`` with these class attributes."""
    events = Events()
    user_class = type("Someone", (base,), {"host": host, **settings})
    it = Driven(user_class(Environment(user_classes=[user_class], events=events)))

    def keep(**request: Any) -> None:
        it.recorded.append(request)

    events.request.add_listener(keep)
    yield it

"""Tests written for pytest as users: Locust runs a file's ``test_…`` functions if it has no user class.

Locust's ``PytestUser`` runs its functions in its own loop, which ignores both arrivals and stops. Here, one round of
them is a task like any other.
"""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

from locust import User
from locust.exception import CatchResponseError
from locust.util.load_locustfile import load_locustfile_pytest
from requests.exceptions import RequestException

logger = logging.getLogger(__name__)


class PytestRounds(User):
    """Each user has its own fixtures; ``functions`` are the tests as pytest found them, each with its fixture."""

    abstract = True
    functions: tuple[Any, ...] = ()

    def on_start(self) -> None:
        self.fixtures = [next(function.fixturedef.func(self)) for function in self.functions]


def one_round(user: PytestRounds) -> None:
    """Run every test once. A failed request ends only its test: it is recorded already."""
    for function, fixture in zip(user.functions, user.fixtures, strict=True):
        try:
            function.obj(fixture)
        except (RequestException, CatchResponseError, ConnectionError) as error:
            if isinstance(error, ValueError):  # no URL at all, say: a mistake in the test
                raise
            logger.debug("%s: %s", function.name, error)


def load_pytest_users(path: Path) -> list[type[User]]:
    """A user class for each test of the file, with its name."""
    tests: dict[str, Any] = load_locustfile_pytest(str(path))
    for name, found in tests.items():
        if any("load_test" in function.fixturenames for function in found.functions):
            raise ValueError(
                f"{name} puts load on a target itself: run it by pytest, or the scenario that it names here"
            )
    return [
        type(name, (PytestRounds,), {"functions": tuple(found.functions), "tasks": [one_round], "abstract": False})
        for name, found in tests.items()
    ]

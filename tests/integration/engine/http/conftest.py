"""Each test of the contract runs on ``locust.FastHttpUser`` and on ``harness.HttpUser``, with the same assertions."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from tests.support.http.echo import Echo, start_echo
from tests.support.http.users import BASES, Driven, driven


@pytest.fixture(params=list(BASES.values()), ids=list(BASES))
def base(request: pytest.FixtureRequest) -> type[Any]:
    """The class that a scenario's user derives from."""
    found: type[Any] = request.param
    return found


@pytest.fixture(scope="session")
def echo() -> Iterator[Echo]:
    """The server that says what it was asked."""
    with start_echo() as running:
        yield running


@pytest.fixture
def user_of(base: type[Any]) -> Iterator[Callable[..., Driven]]:
    """``user_of(host, **class settings)``: a user of class ``base``."""
    with ExitStack() as stack:
        yield lambda host, **settings: stack.enter_context(driven(base, host, **settings))


@pytest.fixture
def user(user_of: Callable[..., Driven], echo: Echo) -> Driven:
    """A user of the echo server, with the class settings' defaults."""
    return user_of(echo.url)

"""Runs each test of the common contract on ``locust.FastHttpUser`` and on ``harness.HttpUser``."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from tests.support.http.echo import Echo, start_echo
from tests.support.http.users import BASES, Driven, driven


@pytest.fixture(params=list(BASES.values()), ids=list(BASES))
def base(request: pytest.FixtureRequest) -> type[Any]:
    """The base class of the user."""
    found: type[Any] = request.param
    return found


@pytest.fixture(scope="session")
def echo() -> Iterator[Echo]:
    """The echo server."""
    with start_echo() as running:
        yield running


@pytest.fixture
def user_of(base: type[Any]) -> Iterator[Callable[..., Driven]]:
    """``user_of(host, **attributes)`` creates a user of a subclass of ``base``."""
    with ExitStack() as stack:
        yield lambda host, **settings: stack.enter_context(driven(base, host, **settings))


@pytest.fixture
def user(user_of: Callable[..., Driven], echo: Echo) -> Driven:
    """A user of the echo server, with default settings."""
    return user_of(echo.url)

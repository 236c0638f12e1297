"""Fixtures that end-to-end tests share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.counting_server import CountingServer


@pytest.fixture
def server() -> Iterator[CountingServer]:
    with CountingServer().running() as running:
        yield running

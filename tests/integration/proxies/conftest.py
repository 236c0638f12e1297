"""A process with proxies, and one of them before an upstream that the test is itself."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.proxies.control import OwnProxy
from harness.proxies.process import ProxyProcess
from tests.integration.proxies.peers import Peer


@pytest.fixture(scope="module")
def process() -> Iterator[ProxyProcess]:
    with ProxyProcess(Path(os.devnull)) as started:
        yield started


@pytest.fixture
def upstream() -> Iterator[Peer]:
    peer = Peer()
    with peer.listener:
        yield peer


@pytest.fixture
def proxy(process: ProxyProcess, upstream: Peer) -> Iterator[OwnProxy]:
    made = process.add(f"p{upstream.address[1]}", ("127.0.0.1", 0), upstream.address)
    yield made
    made.clear()

"""Faults of the network on real proxies: begun, and undone by another process than the one that began them."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.faults.network import NetworkFault
from harness.faults.place import Place
from harness.proxies.process import ProxyProcess
from tests.support.faults import begun_elsewhere


@pytest.fixture
def place() -> Iterator[Place]:
    """With two proxies called ``db``, as a duet has of its targets, and another one."""
    with socket.create_server(("127.0.0.1", 0)) as upstream, ProxyProcess(Path(os.devnull)) as process:
        made = [process.add(name, ("127.0.0.1", 0), upstream.getsockname()) for name in ("db 0", "db 1", "cache")]
        yield Place(proxies={"db": (made[0], made[1]), "cache": (made[2],)})


def refusing(place: Place) -> list[str]:
    """Names of the proxies that refuse a connection."""
    found = []
    for name, proxies in place.proxies.items():
        for proxy in proxies:
            try:
                socket.create_connection((proxy.host, proxy.port), timeout=20).close()
            except ConnectionRefusedError:
                found.append(name)
    return found


def test_all_proxies_of_a_name_are_hit_and_no_others(place: Place) -> None:
    fault = NetworkFault(between="db", refuse=True)
    fault.check(place)
    fault.begin(place)
    assert refusing(place) == ["db", "db"]
    fault.end(place)
    fault.end(place)
    assert refusing(place) == []


def test_when_its_process_is_killed_another_undoes_it(place: Place) -> None:
    fault = NetworkFault(between="db", refuse=True)
    with begun_elsewhere(fault, place) as process:
        process.kill()
    assert refusing(place) == ["db", "db"]
    fault.end(Place.model_validate_json(place.model_dump_json()))
    assert refusing(place) == []

"""Connections are reported as readable at once, or only when asked while the poller is held."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from functools import partial

import gevent
import pytest

from harness.engine.socket_poller import SocketPoller, poller


class Ends:
    """Two connected sockets. ``read`` is what the poller reported of one."""

    def __init__(self) -> None:
        self.near, self.far = socket.socketpair()
        self.near.setblocking(False)
        self.read: list[bytes] = []

    def on_readable(self) -> None:
        self.read.append(self.near.recv(100))


@pytest.fixture
def ends() -> Iterator[Ends]:
    pair = Ends()
    poller().add(pair.near.fileno(), pair.on_readable)
    yield pair
    poller().remove(pair.near.fileno())
    poller().release()
    pair.near.close()
    pair.far.close()


def test_what_arrives_is_reported_by_the_event_loop(ends: Ends) -> None:
    ends.far.send(b"a")
    gevent.sleep(0.01)
    ends.far.send(b"b")
    gevent.sleep(0.01)
    assert ends.read == [b"a", b"b"]


def test_while_held_it_is_reported_when_asked(ends: Ends) -> None:
    poller().hold()
    ends.far.send(b"a")
    gevent.sleep(0.01)
    assert ends.read == []
    poller().dispatch()
    assert ends.read == [b"a"]
    ends.far.send(b"b")
    poller().release()
    gevent.sleep(0.01)
    assert ends.read == [b"a", b"b"]


def test_a_reader_may_remove_another_that_is_readable_too() -> None:
    first, second = Ends(), Ends()
    both = {first: second, second: first}
    watched = set(both)

    def remove_the_other(pair: Ends) -> None:
        pair.on_readable()
        if both[pair] in watched:
            watched.remove(both[pair])
            poller().remove(both[pair].near.fileno())

    for pair in both:
        poller().add(pair.near.fileno(), partial(remove_the_other, pair))
        pair.far.send(b"a")
    gevent.sleep(0.01)
    assert [len(first.read), len(second.read)] in ([1, 0], [0, 1])
    for pair in watched:
        poller().remove(pair.near.fileno())


def test_a_forked_process_does_not_change_what_its_parent_watches(ends: Ends) -> None:
    child = os.fork()
    if child == 0:
        ends_well = isinstance(poller(), SocketPoller)
        poller().remove(ends.near.fileno())
        os._exit(0 if ends_well else 1)
    assert os.waitpid(child, 0)[1] == 0
    ends.far.send(b"a")
    gevent.sleep(0.01)
    assert ends.read == [b"a"]

"""Connections read at once or only when asked, all of them before any user runs; what users send goes out together."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Iterator
from functools import partial

import gevent
import pytest

from harness.engine.socket_poller import SocketPoller, poller


class Ends:
    """Two connected sockets, and what became of the near one."""

    def __init__(self, log: list[str] | None = None, name: str = "", *, sends: bool = True) -> None:
        self.near, self.far = socket.socketpair()
        self.near.setblocking(False)
        self.received: list[bytes] = []
        self.log = [] if log is None else log
        self.on_resume: Callable[[], object] | None = None
        self._name, self._sends = name, sends
        poller().add(self.near.fileno(), self)

    def read(self) -> bool:
        self.log.append(f"read {self._name}")
        self.received.append(self.near.recv(100))
        return True

    def transmit(self) -> bool:
        self.log.append(f"transmit {self._name}")
        return self._sends

    def resume(self) -> None:
        self.log.append(f"resume {self._name}")
        if self.on_resume is not None:
            self.on_resume()

    def close(self) -> None:
        poller().remove(self.near.fileno())
        self.near.close()
        self.far.close()


@pytest.fixture
def ends() -> Iterator[Ends]:
    pair = Ends()
    yield pair
    poller().release()
    pair.close()


@pytest.fixture
def log() -> list[str]:
    return []


@pytest.fixture
def pairs(log: list[str]) -> Iterator[list[Ends]]:
    made = [Ends(log, "a"), Ends(log, "b"), Ends(log, "c", sends=False)]
    yield made
    for pair in made:
        pair.close()


def test_what_arrives_is_read_by_the_event_loop(ends: Ends) -> None:
    ends.far.send(b"a")
    gevent.sleep(0.01)
    ends.far.send(b"b")
    gevent.sleep(0.01)
    assert ends.received == [b"a", b"b"]


def test_while_held_it_is_read_when_asked(ends: Ends) -> None:
    poller().hold()
    ends.far.send(b"a")
    gevent.sleep(0.01)
    assert ends.received == []
    poller().dispatch()
    assert ends.received == [b"a"]
    ends.far.send(b"b")
    poller().release()
    gevent.sleep(0.01)
    assert ends.received == [b"a", b"b"]


def test_all_is_read_before_users_run_and_sent_after_they_have(pairs: list[Ends], log: list[str]) -> None:
    for pair in pairs:
        pair.on_resume = partial(poller().queue, pair)
        pair.far.send(b"a")
    poller().dispatch()
    assert [entry.split()[0] for entry in log] == ["read"] * 3 + ["resume"] * 3 + ["transmit"] * 3 + ["resume"]
    assert log[-1] == "resume c"  # whose request could not be sent


def test_outside_of_a_block_nothing_is_queued(ends: Ends) -> None:
    assert not poller().queue(ends)
    with poller(), poller():
        assert poller().queue(ends)
    assert ends.log == ["transmit "]


def test_no_request_waits_for_more_than_a_few_others(pairs: list[Ends], log: list[str]) -> None:
    with poller():
        for _ in range(100):
            poller().queue(pairs[0])
        assert len(log) > 80


def test_one_that_raises_keeps_no_other_from_running(
    pairs: list[Ends], log: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    for pair in pairs:
        pair.on_resume = lambda: 1 / 0
        pair.far.send(b"a")
    poller().dispatch()
    assert [entry for entry in log if entry.startswith("resume")] == ["resume a", "resume b", "resume c"]
    assert capsys.readouterr().err.count("ZeroDivisionError:") == 3


def test_a_forked_process_changes_nothing_of_its_parents(ends: Ends) -> None:
    with poller():
        poller().queue(ends)
        child = os.fork()
        if child == 0:
            ends_well = isinstance(poller(), SocketPoller)
            poller().__exit__()
            poller().remove(ends.near.fileno())
            os._exit(0 if ends_well and ends.log == [] else 1)
        assert os.waitpid(child, 0)[1] == 0
    assert ends.log == ["transmit "]
    ends.far.send(b"a")
    gevent.sleep(0.01)
    assert ends.received == [b"a"]

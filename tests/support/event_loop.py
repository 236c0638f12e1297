"""Whether the event loop of the tests still reads responses, which a faulty test can break."""

from __future__ import annotations

import socket

from gevent.event import Event

from harness.engine import socket_poller
from harness.engine.socket_poller import poller

_LONGEST_S = 2.0


class _Probe:
    """A connection that notes when it was read."""

    def __init__(self) -> None:
        self.is_read = Event()

    def read(self) -> bool:
        self.is_read.set()
        return False

    def transmit(self) -> bool:
        return True

    def resume(self) -> None:
        """Nobody waits."""


def is_sound() -> bool:
    """Whether what arrives is read, and requests are sent at once. If not, those that follow get a new poller."""
    probe = _Probe()
    near, far = socket.socketpair()
    with near, far:
        poller().add(near.fileno(), probe)
        far.send(b"a")
        is_read = probe.is_read.wait(_LONGEST_S)
        poller().remove(near.fileno())
    sound = is_read and not poller().queue(probe)
    if not sound:
        socket_poller._pollers.clear()
    return sound

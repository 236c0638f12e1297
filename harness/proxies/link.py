"""One connection through a proxy: the client's socket, the upstream's, and the data in transit."""

from __future__ import annotations

import asyncio
import contextlib
import random
import socket
import struct
from collections import deque
from collections.abc import Callable
from enum import Enum
from typing import cast

from harness.proxies.conditions import CLEAR, Conditions

_NO_LINGER = struct.pack("ii", 1, 0)
"""Closing sends a reset (RST) and drops what was not sent."""


class _Mark(Enum):
    """What may be under way besides data."""

    END = "end"
    """The sender has closed its half."""
    RESET = "reset"


class End(asyncio.Protocol):
    """One of a link's two sockets. What it receives goes to its peer, in order, as soon as it is due."""

    peer: End
    transport: asyncio.Transport | None = None

    def __init__(self, link: Link, *, is_upstream: bool) -> None:
        self._link = link
        self._is_upstream = is_upstream
        self._under_way: deque[tuple[float, bytes | _Mark]] = deque()
        self._size = 0
        """Bytes under way."""
        self._timer: asyncio.TimerHandle | None = None
        self._line_free_s = 0.0
        self._last_due_s = 0.0
        self._counted = 0
        """Bytes received since the conditions began."""
        self._is_full = False
        """Whether the socket accepts no more data."""
        self._ended = False
        self.sent_end = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        self._link.opened(self)

    def data_received(self, data: bytes) -> None:
        conditions = self._link.conditions
        if conditions is CLEAR:
            self._write(data)
            return
        mark = None
        if conditions.reset_after is not None and self._is_upstream:
            left = conditions.reset_after - self._counted
            self._counted += len(data)
            if len(data) >= left:
                data, mark = data[: max(left, 0)], _Mark.RESET
        if conditions.delays:
            now_s = asyncio.get_running_loop().time()
            for piece in conditions.pieces(data):
                self._enqueue(piece, self._due_s(now_s, len(piece), conditions))
        else:
            self._write(data)
        if mark is not None:
            self._pass_on(mark)
        self.update_reading()

    def eof_received(self) -> bool:
        self._ended = True
        self._pass_on(_Mark.END)
        return True  # the other direction stays open

    def connection_lost(self, exc: Exception | None) -> None:
        self._link.lost(self, exc)

    def pause_writing(self) -> None:
        self._is_full = True
        self.peer.update_reading()

    def resume_writing(self) -> None:
        self._is_full = False
        self.peer.update_reading()

    def update_reading(self) -> None:
        """Read only what can be passed on; the sender's TCP then waits by itself."""
        if self.transport is None or self._ended or self.transport.is_closing():
            return
        conditions = self._link.conditions
        if self.peer.transport is None or self.peer._is_full or conditions.blackhole or self._size > conditions.room:
            self.transport.pause_reading()
        else:
            self.transport.resume_reading()

    def conditions_changed(self) -> None:
        """All that is under way arrives now."""
        self._counted = 0
        self._line_free_s = self._last_due_s = 0.0
        while self._under_way:
            self._deliver(self._under_way.popleft()[1])
        self._stop_timer()
        self.update_reading()

    def forget(self) -> None:
        """Drop what is under way."""
        self._under_way.clear()
        self._size = 0
        self._stop_timer()

    def _due_s(self, now_s: float, size: int, conditions: Conditions) -> float:
        self._line_free_s = max(now_s, self._line_free_s)
        if conditions.bytes_per_s is not None:
            self._line_free_s += size / conditions.bytes_per_s
        late_s = conditions.late_by_s(from_upstream=self._is_upstream)
        self._last_due_s = max(self._last_due_s, self._line_free_s + late_s)  # TCP keeps the order
        return self._last_due_s

    def _pass_on(self, mark: _Mark) -> None:
        if self._under_way:
            self._enqueue(mark, self._last_due_s)
        else:
            self._deliver(mark)

    def _enqueue(self, item: bytes | _Mark, due_s: float) -> None:
        self._under_way.append((due_s, item))
        if isinstance(item, bytes):
            self._size += len(item)
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_at(due_s, self._deliver_due)

    def _deliver_due(self) -> None:
        self._timer = None
        loop = asyncio.get_running_loop()
        now_s = loop.time()
        while self._under_way and self._under_way[0][0] <= now_s:
            self._deliver(self._under_way.popleft()[1])
        if self._under_way:
            self._timer = loop.call_at(self._under_way[0][0], self._deliver_due)
        self.update_reading()

    def _deliver(self, item: bytes | _Mark) -> None:
        if isinstance(item, bytes):
            self._size -= len(item)
            self._write(item)
        elif item is _Mark.RESET:
            self._link.reset()
        elif self.peer.transport is not None and not self.peer.transport.is_closing():
            try:
                self.peer.transport.write_eof()
            except OSError:  # the peer has closed the connection; the event loop has not noticed yet
                self._link.reset()
                return
            self.peer.sent_end = True
            self._link.close_if_both_ended()

    def _write(self, data: bytes) -> None:
        if data and self.peer.transport is not None:
            self.peer.transport.write(data)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


class Link:
    """A client's connection and the one to the upstream that is made for it."""

    def __init__(self, conditions: Conditions, connect: Callable[[Link], None], gone: Callable[[Link], None]) -> None:
        """``connect`` begins to connect :attr:`upstream`; ``gone`` is called when both sockets are closed."""
        self.client, self.upstream = End(self, is_upstream=False), End(self, is_upstream=True)
        self.client.peer, self.upstream.peer = self.upstream, self.client
        self.conditions = CLEAR
        self._connect, self._gone = connect, gone
        self._connecting = False
        self._is_reset = False
        self._first = conditions

    def opened(self, end: End) -> None:
        if self._is_reset:  # while the upstream was being connected
            self.reset()
            return
        end.update_reading()
        if end is self.client:
            self.meet(self._first)
        else:
            self.client.update_reading()

    def meet(self, conditions: Conditions) -> None:
        """Put the connection under these conditions, if it is one of the share."""
        self._first = conditions
        if self.client.transport is None:  # accepted, but not opened yet; or closed
            return
        is_hit = conditions is not CLEAR and random.random() < conditions.share
        self.conditions = conditions if is_hit else CLEAR
        if self.conditions.resets_at_once:
            self.reset()
            return
        for end in (self.client, self.upstream):
            end.conditions_changed()
        if not self.conditions.blackhole and not self._connecting:
            self._connecting = True
            self._connect(self)

    def close_if_both_ended(self) -> None:
        if not (self.client.sent_end and self.upstream.sent_end):
            return
        for end in (self.client, self.upstream):
            if end.transport is not None:
                end.transport.close()  # sends first what is still to be sent

    def lost(self, end: End, error: Exception | None) -> None:
        """``end`` is closed: by both, or by a reset, which its peer then sees as well."""
        end.transport = None
        if error is not None or not end.sent_end:
            self.reset()
        if self.client.transport is None and self.upstream.transport is None:
            self._gone(self)

    def reset(self) -> None:
        """Close both sockets at once, with RST."""
        self._is_reset = True
        for end in (self.client, self.upstream):
            end.forget()
            if end.transport is not None and not end.transport.is_closing():
                with contextlib.suppress(OSError):  # closed in between
                    end.transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGER)
                end.transport.abort()

"""Peers that a master must withstand: without the secret, or with it and sending nonsense."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import msgpack
import zmq

from harness.cluster.secret import Keys
from harness.cluster.transport import address_of, prepare_worker_socket

_SHORT_S = 0.2


def send_raw(port: int, data: bytes) -> None:
    """Connect, send ``data`` and disconnect; the master may disconnect first."""
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=_SHORT_S) as peer:
        peer.sendall(data)
        while peer.recv(4096):
            pass


@contextmanager
def idle_connections(port: int, size: int) -> Iterator[None]:
    """So many open connections that send nothing."""
    with contextlib.ExitStack() as stack:
        for _ in range(size):
            peer = stack.enter_context(socket.socket())
            peer.setblocking(False)
            with contextlib.suppress(BlockingIOError):
                peer.connect(("127.0.0.1", port))
        yield


class Peer:
    """One that speaks ZeroMQ: with ``keys`` those, without none, as Locust's own workers. ``name`` is its identity."""

    def __init__(self, port: int, keys: Keys | None, name: str) -> None:
        self._name = name
        self._context = zmq.Context()
        self._socket = self._context.socket(zmq.DEALER)
        if keys is None:
            self._socket.setsockopt(zmq.IDENTITY, name.encode())
        else:
            prepare_worker_socket(self._socket, name, keys)
        self._socket.connect(address_of("127.0.0.1", port))

    def send_message(self, kind: object, data: object) -> None:
        self.send(msgpack.packb((kind, data, self._name)))

    def send(self, *frames: bytes) -> None:
        self._socket.send_multipart(list(frames))

    def receive(self, timeout_s: float) -> tuple[str, object] | None:
        """Type and data of the next message; None where none comes in time."""
        if not self._socket.poll(round(timeout_s * 1000)):
            return None
        kind, data, _ = msgpack.unpackb(self._socket.recv(), strict_map_key=False)
        return kind, data

    def close(self) -> None:
        self._context.destroy(0)


class RecordingRelay:
    """A relay before the master that keeps every byte its one client has sent."""

    def __init__(self, port: int) -> None:
        self.received = b""
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._master = socket.create_connection(("127.0.0.1", port))
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        self._listener.settimeout(60)
        client, _ = self._listener.accept()
        threading.Thread(target=self._pass_on, args=(self._master, client, False), daemon=True).start()
        self._pass_on(client, self._master, True)

    def _pass_on(self, source: socket.socket, sink: socket.socket, keep: bool) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                if keep:
                    self.received += data
                sink.sendall(data)

    def close(self) -> None:
        self._master.close()
        self._listener.close()

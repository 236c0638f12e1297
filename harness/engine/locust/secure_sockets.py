"""Locust's two sockets, secured: only peers that know the run's secret come through the handshake.

Locust takes its sockets from ``locust.runners.rpc``; :func:`use_keys` puts these in their place. Beyond Locust's, what
cannot be read is dropped, and sending to a peer that is gone neither blocks nor raises.
"""

from __future__ import annotations

import logging
from types import SimpleNamespace
from typing import Any

import gevent
import msgpack
import zmq.green as zmq
from locust import runners
from locust.rpc import Message
from zmq import Socket as PlainSocket
from zmq.utils import z85

from harness.cluster.secret import Keys
from harness.cluster.transport import address_of, prepare_master_socket, prepare_worker_socket
from harness.engine.locust.options import portable

_ZAP = "inproc://zeromq.zap.01"
_UNREADABLE = (ValueError, TypeError, AttributeError, RecursionError, msgpack.UnpackException)
"""What reading a message may raise: broken msgpack, text that is not UTF-8, a value that is no message."""

logger = logging.getLogger(__name__)


class MasterSocket:
    """The master's, in the place of ``locust.rpc.zmqrpc.Server``. ``port`` is the one it listens on."""

    def __init__(self, host: str, port: int, keys: Keys) -> None:
        context = zmq.Context()
        self._gatekeeper = gevent.spawn(_authenticate, context, keys.worker.public)
        gevent.sleep(0)  # it must listen before the first peer asks
        self._socket = context.socket(zmq.ROUTER)
        prepare_master_socket(self._socket, keys)
        self._socket.bind(address_of(host, port))
        self._plain: zmq.Socket[bytes] = PlainSocket.shadow(self._socket)
        """The same socket as it is without gevent, to which each part of each message is an event of its own."""
        self.port = int(self._socket.getsockopt_string(zmq.LAST_ENDPOINT).rpartition(":")[2])

    def send_to_client(self, msg: Message) -> bool:
        """False where that worker is gone; the message is then lost, as it would be in the network."""
        if msg.type == "spawn":
            msg.data["parsed_options"] = portable(msg.data["parsed_options"])
        try:
            self._socket.send_multipart([msg.node_id.encode(), msg.serialize()], zmq.NOBLOCK)
        except zmq.ZMQError:
            return False
        return True

    def recv_from_client(self) -> tuple[str, Message]:
        """The next message that can be read; it is from whom the connection says, whatever it says itself."""
        while True:
            identity, *rest = self._receive()
            try:
                (data,) = rest
                msg = _read(data)
                msg.node_id = identity.decode()
            except _UNREADABLE as fault:
                logger.warning("a message of %r cannot be read and is dropped: %s", identity, fault)
            else:
                return msg.node_id, msg

    def _receive(self) -> list[bytes]:
        """The parts of the next message."""
        receive = self._plain.recv
        try:
            part = receive(zmq.NOBLOCK, copy=False)
        except zmq.Again:
            return self._socket.recv_multipart()
        parts = [part.bytes]
        while part.more:  # recv_multipart asks the socket, which costs several times as much
            part = receive(copy=False)
            parts.append(part.bytes)
        return parts

    def close(self, linger: int | None = None) -> None:
        self._gatekeeper.kill()
        self._socket.close(linger=linger)


class WorkerSocket:
    """A worker's connection to the master, in the place of ``locust.rpc.zmqrpc.Client``."""

    def __init__(self, host: str, port: int, identity: str, keys: Keys) -> None:
        self._socket = zmq.Context().socket(zmq.DEALER)
        prepare_worker_socket(self._socket, identity, keys)
        self.events = self._socket.get_monitor_socket(zmq.EVENT_DISCONNECTED | zmq.EVENT_HANDSHAKE_SUCCEEDED)
        """Where ZeroMQ tells that the connection was made, or has gone."""
        self._socket.connect(address_of(host, port))

    def send(self, msg: Message) -> bool:
        """False where the queue to a master that takes nothing is full; the message is then lost."""
        try:
            self._socket.send(msg.serialize(), zmq.NOBLOCK)
        except zmq.ZMQError:
            return False
        return True

    def recv(self) -> Message:
        """The next message that can be read."""
        while True:
            try:
                return _read(self._socket.recv())
            except _UNREADABLE as fault:
                logger.warning("a message of the master cannot be read and is dropped: %s", fault)

    def close(self, linger: int | None = None) -> None:
        self._socket.close(linger=linger)


def use_keys(keys: Keys) -> None:
    """From now on Locust's runners make their sockets of these classes, with these keys."""
    sockets = SimpleNamespace(
        Server=lambda host, port: MasterSocket(host, port, keys),
        Client=lambda host, port, identity: WorkerSocket(host, port, identity, keys),
    )
    vars(runners)["rpc"] = sockets


def _read(data: bytes) -> Message:
    msg: Message = Message.unserialize(data)
    if not isinstance(msg.type, str):
        raise TypeError("its type is no text")
    return msg


def _authenticate(context: Any, worker_key: bytes) -> None:
    """Answer ZeroMQ's question whether a peer may come in (ZAP, RFC 27): who has the workers' key may."""
    questions = context.socket(zmq.REP)
    questions.bind(_ZAP)
    while True:
        version, request, _, _, _, mechanism, *credentials = questions.recv_multipart()
        known = mechanism == b"CURVE" and [z85.encode(key) for key in credentials] == [worker_key]
        status = (b"200", b"OK", b"worker") if known else (b"400", b"the key is not known", b"")
        questions.send_multipart([version, request, *status, b""])

"""Secure replacements of Locust's sockets: only peers that know the run's secret can connect.

Locust takes its sockets from ``locust.runners.rpc``, which :func:`use_keys` replaces. Unlike Locust's sockets, these
drop unreadable messages, and sending to a disconnected peer neither blocks nor raises.
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
"""What reading a message may raise: broken msgpack, text that is not UTF-8, a value that is not a message."""

logger = logging.getLogger(__name__)


class MasterSocket:
    """Replaces ``locust.rpc.zmqrpc.Server``. It listens on ``port``."""

    def __init__(self, host: str, port: int, keys: Keys) -> None:
        context = zmq.Context()
        self._authenticator = gevent.spawn(_authenticate, context, keys.worker.public)
        gevent.sleep(0)  # it must listen before the first peer connects
        self._socket = context.socket(zmq.ROUTER)
        prepare_master_socket(self._socket, keys)
        self._socket.bind(address_of(host, port))
        self._plain: zmq.Socket[bytes] = PlainSocket.shadow(self._socket)
        """The same socket without gevent, which would handle each part of a message as an event of its own."""
        self.port = int(self._socket.getsockopt_string(zmq.LAST_ENDPOINT).rpartition(":")[2])

    def send_to_client(self, msg: Message) -> bool:
        """False if the worker is disconnected; the message is then lost."""
        if msg.type == "spawn":
            msg.data["parsed_options"] = portable(msg.data["parsed_options"])
        try:
            self._socket.send_multipart([msg.node_id.encode(), msg.serialize()], zmq.NOBLOCK)
        except zmq.ZMQError:
            return False
        return True

    def recv_from_client(self) -> tuple[str, Message]:
        """The next readable message, with the sender that the connection names, whatever the message says."""
        while True:
            identity, *rest = self._receive()
            try:
                (data,) = rest
                msg = _read(data)
                msg.node_id = identity.decode()
            except _UNREADABLE as error:
                logger.warning("dropped an unreadable message of %r: %s", identity, error)
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
        while part.more:  # recv_multipart queries the socket for it, which costs several times as much
            part = receive(copy=False)
            parts.append(part.bytes)
        return parts

    def close(self, linger: int | None = None) -> None:
        self._authenticator.kill()
        self._socket.close(linger=linger)


class WorkerSocket:
    """A worker's connection to the master; replaces ``locust.rpc.zmqrpc.Client``."""

    def __init__(self, host: str, port: int, identity: str, keys: Keys) -> None:
        self._socket = zmq.Context().socket(zmq.DEALER)
        prepare_worker_socket(self._socket, identity, keys)
        self.events = self._socket.get_monitor_socket(zmq.EVENT_DISCONNECTED | zmq.EVENT_HANDSHAKE_SUCCEEDED)
        """ZeroMQ's events of the connection being established or lost."""
        self._socket.connect(address_of(host, port))

    def send(self, msg: Message) -> bool:
        """False if the queue to an unresponsive master is full; the message is then lost."""
        try:
            self._socket.send(msg.serialize(), zmq.NOBLOCK)
        except zmq.ZMQError:
            return False
        return True

    def recv(self) -> Message:
        """The next readable message."""
        while True:
            try:
                return _read(self._socket.recv())
            except _UNREADABLE as error:
                logger.warning("dropped an unreadable message of the master: %s", error)

    def close(self, linger: int | None = None) -> None:
        self._socket.close(linger=linger)


def use_keys(keys: Keys) -> None:
    """From now on, Locust's runners make their sockets of these classes with these keys."""
    sockets = SimpleNamespace(
        Server=lambda host, port: MasterSocket(host, port, keys),
        Client=lambda host, port, identity: WorkerSocket(host, port, identity, keys),
    )
    vars(runners)["rpc"] = sockets


def _read(data: bytes) -> Message:
    msg: Message = Message.unserialize(data)
    if not isinstance(msg.type, str):
        raise TypeError("its type is not text")
    return msg


def _authenticate(context: Any, worker_key: bytes) -> None:
    """Answer ZeroMQ's authentication requests (ZAP, RFC 27): accept peers with the workers' key."""
    requests = context.socket(zmq.REP)
    requests.bind(_ZAP)
    while True:
        version, request, _, _, _, mechanism, *credentials = requests.recv_multipart()
        known = mechanism == b"CURVE" and [z85.encode(key) for key in credentials] == [worker_key]
        status = (b"200", b"OK", b"worker") if known else (b"400", b"unknown key", b"")
        requests.send_multipart([version, request, *status, b""])

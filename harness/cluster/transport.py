"""The connection between master and workers: options of its two sockets, gevent's or ordinary ones.

ZeroMQ's own heartbeats show whether the peer is alive. Its I/O thread answers them, so a process that is too busy for
its sockets is slow, not lost.
"""

from __future__ import annotations

from typing import Any

import zmq

from harness.cluster.secret import Keys
from harness.plan.hosts import join_address

PING_S = 1.0
"""How often each side checks the other."""
GONE_S = 3.0
"""After this time without a message, the peer is lost: its machine, its network or its process."""
_HANDSHAKE_S = 5.0
"""Strangers that connect and send nothing are disconnected after this time."""
_LONGEST_MESSAGE = 64 << 20
LINGER_MS = 1000
_BACKLOG = 1024


def address_of(host: str, port: int) -> str:
    """The address as ZeroMQ writes it: ``tcp://10.0.0.1:5557``, ``tcp://[::1]:5557``."""
    return f"tcp://{join_address(host, port)}"


def prepare_master_socket(router: Any, keys: Keys) -> None:
    """Set the options of the master's socket, before it binds."""
    _prepare(router)
    # Sending to a lost worker then fails instead of silently dropping the message.
    router.setsockopt(zmq.ROUTER_MANDATORY, 1)
    router.setsockopt(zmq.ROUTER_HANDOVER, 1)
    router.setsockopt(zmq.BACKLOG, _BACKLOG)
    router.curve_server = True
    router.curve_publickey = keys.master.public
    router.curve_secretkey = keys.master.secret


def prepare_worker_socket(dealer: Any, identity: str, keys: Keys) -> None:
    """Set the options of a worker's socket, before it connects."""
    _prepare(dealer)
    dealer.setsockopt(zmq.IDENTITY, identity.encode())
    dealer.curve_serverkey = keys.master.public
    dealer.curve_publickey = keys.worker.public
    dealer.curve_secretkey = keys.worker.secret


def _prepare(socket: Any) -> None:
    socket.setsockopt(zmq.IPV6, 1)
    socket.setsockopt(zmq.LINGER, LINGER_MS)
    socket.setsockopt(zmq.MAXMSGSIZE, _LONGEST_MESSAGE)
    # HEARTBEAT_TTL would do for one side, but libzmq forgets that limit with the next ordinary message.
    socket.setsockopt(zmq.HEARTBEAT_IVL, round(PING_S * 1000))
    socket.setsockopt(zmq.HEARTBEAT_TIMEOUT, round((GONE_S - PING_S) * 1000))
    socket.setsockopt(zmq.HANDSHAKE_IVL, round(_HANDSHAKE_S * 1000))

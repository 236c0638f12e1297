"""The connection between master and workers: the options of its two sockets, gevent's or ordinary ones.

Whether the other side is still there is found out by ZeroMQ's own heartbeats, which its I/O thread answers: a process
that has no time for its sockets, because the CPU or a task keeps it, is slow and not lost.
"""

from __future__ import annotations

from typing import Any

import zmq

from harness.cluster.secret import Keys

PING_S = 1.0
"""Each side asks so often whether the other is there."""
GONE_S = 3.0
"""Whoever was silent for so long, at the level of the connection, is gone: its machine, its link or its process."""
_HANDSHAKE_S = 5.0
"""Strangers that connect and say nothing are hung up on."""
_LONGEST_MESSAGE = 64 << 20
LINGER_MS = 1000
_BACKLOG = 1024


def address_of(host: str, port: int) -> str:
    """As ZeroMQ writes it: ``tcp://10.0.0.1:5557``, ``tcp://[::1]:5557``."""
    return f"tcp://[{host}]:{port}" if ":" in host else f"tcp://{host}:{port}"


def prepare_master_socket(router: Any, keys: Keys) -> None:
    """Before it binds."""
    _prepare(router)
    # Sending to a worker that is gone fails, instead of being silently forgotten: so it is known who is there.
    router.setsockopt(zmq.ROUTER_MANDATORY, 1)
    router.setsockopt(zmq.ROUTER_HANDOVER, 1)
    router.setsockopt(zmq.BACKLOG, _BACKLOG)
    router.curve_server = True
    router.curve_publickey = keys.master.public
    router.curve_secretkey = keys.master.secret


def prepare_worker_socket(dealer: Any, identity: str, keys: Keys) -> None:
    """Before it connects."""
    _prepare(dealer)
    dealer.setsockopt(zmq.IDENTITY, identity.encode())
    dealer.curve_serverkey = keys.master.public
    dealer.curve_publickey = keys.worker.public
    dealer.curve_secretkey = keys.worker.secret


def _prepare(socket: Any) -> None:
    socket.setsockopt(zmq.IPV6, 1)
    socket.setsockopt(zmq.LINGER, LINGER_MS)
    socket.setsockopt(zmq.MAXMSGSIZE, _LONGEST_MESSAGE)
    # HEARTBEAT_TTL would spare one side its questions, but libzmq forgets that limit with the next ordinary message.
    socket.setsockopt(zmq.HEARTBEAT_IVL, round(PING_S * 1000))
    socket.setsockopt(zmq.HEARTBEAT_TIMEOUT, round((GONE_S - PING_S) * 1000))
    socket.setsockopt(zmq.HANDSHAKE_IVL, round(_HANDSHAKE_S * 1000))

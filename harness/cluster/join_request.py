"""What a machine says that wants to join a run with workers, and whether the master may take it.

Said over the connection of ``harness.cluster.transport``, in Locust's form of messages: ``(type, data, sender)`` in
msgpack.
"""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Any

import msgpack

from harness.cluster.versions import versions

_BOOT = Path("/proc/sys/kernel/random/boot_id")
_NETWORK = Path("/proc/self/ns/net")


def join_request(workers: int) -> dict[str, Any]:
    """``harness.join_request`` of this machine, which offers so many workers."""
    return {"versions": versions(), "host": socket.gethostname(), "loopback": loopback(), "workers": workers}


def loopback() -> str:
    """Names what loopback addresses lead to from this process: the same for two processes if that is the same."""
    return f"{_BOOT.read_text(encoding='ascii').strip()}/{_NETWORK.stat().st_ino}"


def pack(kind: str, data: dict[str, Any], sender: str) -> bytes:
    return bytes(msgpack.packb((kind, data, sender)))


def unpack(message: bytes) -> tuple[str, dict[str, Any]]:
    """Type and data. Raises ``ValueError`` where it is no such message."""
    try:
        kind, data, _ = msgpack.unpackb(message, raw=False, strict_map_key=False)
    except (TypeError, msgpack.UnpackException) as fault:
        raise ValueError("not a message") from fault
    return kind, data or {}

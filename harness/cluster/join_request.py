"""The request by which a remote machine asks to join a run, and the format of such messages.

They travel over the connection of ``harness.cluster.transport`` in Locust's format: ``(type, data, sender)`` in
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
    """Identifies the loopback network of this process: equal for two processes if they share it."""
    return f"{_BOOT.read_text(encoding='ascii').strip()}/{_NETWORK.stat().st_ino}"


def pack(kind: str, data: dict[str, Any], sender: str) -> bytes:
    return bytes(msgpack.packb((kind, data, sender)))


def unpack(message: bytes) -> tuple[str, dict[str, Any]]:
    """Type and data. Raises ``ValueError`` if it is not such a message."""
    try:
        kind, data, _ = msgpack.unpackb(message, raw=False, strict_map_key=False)
    except (TypeError, msgpack.UnpackException) as error:
        raise ValueError("not a message") from error
    return kind, data or {}

"""Which Unix sockets are connected to each other, read from the kernel by sock_diag(7)."""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterator
from typing import NamedTuple

_NETLINK_SOCK_DIAG = 4
_SOCK_DIAG_BY_FAMILY = 20
_DUMP = 0x001 | 0x100 | 0x200
"""``NLM_F_REQUEST | NLM_F_DUMP``."""
_SHOW_NAME_PEER_USER = 0x01 | 0x04 | 0x40
_NAME, _PEER, _USER = 0, 2, 7
"""Attributes of a response (``linux/unix_diag.h``)."""
_HEADER = struct.Struct("=IHHII")
_REQUEST = struct.Struct("=BBHIIIII")
_RESPONSE = struct.Struct("=BBBBIII")
_ATTRIBUTE = struct.Struct("=HH")
_NUMBER = struct.Struct("=I")
_ERROR, _DONE = 2, 3
_TIMEOUT_S = 1.0


class UnixServer(NamedTuple):
    """The server's end of a connection."""

    inode: int
    user: int | None
    """The user id of its process; None where the kernel does not say (before Linux 5.3)."""


def unix_servers() -> dict[int, UnixServer]:
    """The server's end of each connection, by the inode of the client's; empty where the kernel does not tell.

    The server's end is the one with a name. A client's has none, and neither end of a socketpair(2) has.
    """
    try:
        sockets = dict(_sockets())
    except OSError:
        return {}
    found = {}
    for inode, attributes in sockets.items():
        if _PEER in attributes and _NAME not in attributes:
            peer = _number(attributes[_PEER])
            of_peer = sockets.get(peer, {})
            if _NAME in of_peer:
                found[inode] = UnixServer(peer, _number(of_peer[_USER]) if _USER in of_peer else None)
    return found


def _sockets() -> Iterator[tuple[int, dict[int, bytes]]]:
    """Each Unix socket of the machine: its inode and attributes."""
    request = _REQUEST.pack(socket.AF_UNIX, 0, 0, 0xFFFFFFFF, 0, _SHOW_NAME_PEER_USER, 0xFFFFFFFF, 0xFFFFFFFF)
    with socket.socket(socket.AF_NETLINK, socket.SOCK_DGRAM, _NETLINK_SOCK_DIAG) as kernel:
        kernel.settimeout(_TIMEOUT_S)
        kernel.send(_HEADER.pack(_HEADER.size + len(request), _SOCK_DIAG_BY_FAMILY, _DUMP, 0, 0) + request)
        while True:
            for kind, body in _messages(kernel.recv(1 << 16)):
                if kind in (_DONE, _ERROR):
                    return
                inode = _RESPONSE.unpack_from(body)[4]
                yield inode, dict(_attributes(body[_RESPONSE.size :]))


def _messages(data: bytes) -> Iterator[tuple[int, bytes]]:
    while len(data) >= _HEADER.size:
        length, kind, *_ = _HEADER.unpack_from(data)
        yield kind, data[_HEADER.size : length]
        data = data[_padded(length) :]


def _attributes(data: bytes) -> Iterator[tuple[int, bytes]]:
    while len(data) >= _ATTRIBUTE.size:
        length, kind = _ATTRIBUTE.unpack_from(data)
        yield kind, data[_ATTRIBUTE.size : length]
        data = data[_padded(length) :]


def _padded(length: int) -> int:
    return (length + 3) & ~3


def _number(value: bytes) -> int:
    return int(_NUMBER.unpack(value)[0])

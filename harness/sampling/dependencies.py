"""Which processes of this machine serve the target: databases, caches and other servers.

A connection that the target opened to this machine has its other end in the kernel's tables, with the socket's process
and user. The whole server counts, not only the process that holds the connection: PostgreSQL has others that write to
the disk. Where the sockets of other users are hidden, all processes of the server's user count instead.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Iterator
from contextlib import suppress
from pathlib import Path

from harness.sampling.process_tree import all_pids, ancestors
from harness.sampling.unix_connections import unix_servers

LOOK_EVERY_S = 30.0
"""A search takes up to 30 ms of CPU time. The first ones are closer together: after 1 s, 2 s, 4 s …"""
_TCP_TABLES = ("/proc/net/tcp", "/proc/net/tcp6")
_ESTABLISHED, _LISTENS = b"01", b"0A"
_TIME_WAIT = b" 06 "
_IPV4_IN_IPV6 = b"0000000000000000FFFF0000"
_SOCKET = "socket:["
_EVERYBODY = 0
"""A user whose processes are not one server: root."""

_End = tuple[bytes, bytes]
"""The address and port of one end of a connection."""
Server = tuple[int, int | None]
"""The server's end of a connection: its socket's inode, and the user id of its process if the kernel says it."""


class DependencyFinder:
    """Looks for them every :data:`LOOK_EVERY_S`. What has served the target once does so as long as it runs."""

    def __init__(self) -> None:
        self._next_s = float("-inf")
        self._wait_s = 1.0
        self._roots: set[int] = set()

    def roots(self, target: Collection[int], harness: Collection[int], now_s: float) -> set[int]:
        """Processes that, with all their descendants, serve those of the ``target``.

        What serves the ``harness`` counts, too: one of its proxies may stand between. None of its own processes is one.
        """
        if now_s >= self._next_s:
            self._next_s = now_s + self._wait_s
            self._wait_s = min(2 * self._wait_s, LOOK_EVERY_S)
            ours = {*target, *harness}
            self._roots |= _serving(servers_of(ours), ours.union(*map(ancestors, ours)))
        return self._roots


def servers_of(pids: Iterable[int]) -> set[Server]:
    """The servers' ends of the connections that these opened, by TCP or a Unix socket of this machine."""
    own = {inode for pid in pids for inode in _sockets_of(pid)}
    listening: set[bytes] = set()
    by_ends: dict[tuple[_End, _End], Server] = {}
    opened: list[tuple[_End, _End]] = []
    for near, far, state, inode, user in _tcp_rows():
        if state == _LISTENS and inode in own:
            listening.add(near[1])
        elif state == _ESTABLISHED:
            by_ends[near, far] = inode, user
            if inode in own:
                opened.append((near, far))
    # A connection to a port on which they listen is one that a client opened.
    found = {by_ends[far, near] for near, far in opened if near[1] not in listening and (far, near) in by_ends}
    unix = unix_servers()
    return {*found, *(unix[inode] for inode in own if inode in unix)}


def _serving(servers: Collection[Server], not_among: Collection[int]) -> set[int]:
    """The first processes of the servers."""
    left = dict(servers)
    found: set[int] = set()
    users: dict[int, list[int]] = {}
    for pid in all_pids() if left else ():
        held = {inode for inode in _sockets_of(pid) if inode in left}  # one may have several descriptors
        if held and pid not in not_among:
            found.add(_first_of_program(pid, not_among))
        for inode in held:
            del left[inode]
        with suppress(OSError):
            users.setdefault(Path(f"/proc/{pid}").stat().st_uid, []).append(pid)
    for user in {user for user in left.values() if user not in (None, _EVERYBODY, os.getuid())}:
        found.update(pid for pid in users.get(user, ()) if pid not in not_among)
    return found


def _first_of_program(pid: int, not_among: Collection[int]) -> int:
    """The process, or the furthest of its ancestors in a row that runs the same program."""
    first = pid
    for ancestor in ancestors(pid):
        if ancestor in not_among or _program(ancestor) != _program(pid):
            break
        first = ancestor
    return first


def _program(pid: int) -> str | None:
    try:
        return str(Path(f"/proc/{pid}/exe").readlink())
    except OSError:
        return None


def _sockets_of(pid: int) -> Iterator[int]:
    """The inodes of its sockets; none if it has ended or hides them."""
    with suppress(OSError):
        for entry in os.scandir(f"/proc/{pid}/fd"):
            with suppress(OSError):  # it was closed meanwhile
                name = os.readlink(entry.path)  # noqa: PTH115  (thousands of them; a Path takes longer)
                if name.startswith(_SOCKET):
                    yield int(name[len(_SOCKET) : -1])


def _tcp_rows() -> Iterator[tuple[_End, _End, bytes, int, int]]:
    """Of each socket its near and far end, state, inode and user id (proc_net_tcp in the kernel's documentation)."""
    for table in _TCP_TABLES:
        with suppress(OSError), Path(table).open("rb") as file:
            next(file)
            for row in file:
                if _TIME_WAIT in row:  # there may be thousands
                    continue
                _, near, far, state, _, _, _, user, _, inode, *_ = row.split()
                yield _end(near), _end(far), state, int(inode), int(user)


def _end(text: bytes) -> _End:
    address, _, port = text.partition(b":")
    return address.removeprefix(_IPV4_IN_IPV6), port

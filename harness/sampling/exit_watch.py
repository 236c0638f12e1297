"""Sees processes end that are not one's own children, and how: with pidfds (pidfd_open(2)).

Only a parent can wait for a process. But since Linux 6.15, the kernel keeps the exit status for holders of a pidfd
(``PIDFD_GET_INFO``, include/uapi/linux/pidfd.h). On an older kernel, ``/proc`` has it until the parent has waited.
"""

from __future__ import annotations

import fcntl
import os
import select
import struct
import time
from pathlib import Path

from harness.sampling.tree_clock import read_proc

_INFO_BYTES = 64
_GET_INFO = 3 << 30 | _INFO_BYTES << 16 | 0xFF << 8 | 11
"""``_IOWR(PIDFS_IOCTL_MAGIC, 11, struct pidfd_info)``."""
_INFO_EXIT = 1 << 3
_EXIT_CODE_AT = 60
_REAPED_S = 0.5
"""How long a parent may take to wait for its child."""
_MOST = 256
"""Each takes a file descriptor."""


class ExitWatch:
    """A changing set of processes, each of which is reported once it has ended."""

    def __init__(self) -> None:
        self._poll = select.poll()
        self._wake = os.eventfd(0, os.EFD_NONBLOCK)
        self._poll.register(self._wake, select.POLLIN)
        self._pid_of: dict[int, int] = {}
        self._watched: set[int] = set()

    def add(self, pid: int) -> bool:
        """Watch a process; whether it runs and is watched."""
        if pid in self._watched or len(self._watched) >= _MOST:
            return pid in self._watched
        try:
            descriptor = os.pidfd_open(pid)
        except OSError:  # it has ended, or there are too many open files
            return False
        only = select.poll()
        only.register(descriptor, select.POLLIN)
        if only.poll(0):  # its parent has not waited for it yet
            os.close(descriptor)
            return False
        self._pid_of[descriptor] = pid
        self._watched.add(pid)
        self._poll.register(descriptor, select.POLLIN)
        return True

    def __contains__(self, pid: int) -> bool:
        return pid in self._watched

    def ended(self, timeout_s: float) -> list[tuple[int, int | None]]:
        """Those that have ended, with their status: exit code, minus the signal, or None; waits for the first.

        Returns at once after :meth:`wake`.
        """
        found = []
        for descriptor, _ in self._poll.poll(1000 * timeout_s):
            if descriptor == self._wake:
                continue
            pid = self._pid_of.pop(descriptor)
            found.append((pid, _status(pid, descriptor)))
            self._poll.unregister(descriptor)
            self._watched.discard(pid)
            os.close(descriptor)
        return found

    def wake(self) -> None:
        """Stop waiting. Safe to call from any thread."""
        os.eventfd_write(self._wake, 1)

    def close(self) -> None:
        for descriptor in (*self._pid_of, self._wake):
            os.close(descriptor)
        self._pid_of.clear()
        self._watched.clear()


def _status(pid: int, descriptor: int) -> int | None:
    """The kernel keeps it once the parent has waited. Until then it is that of a zombie, which its user may read."""
    deadline_s = time.monotonic() + _REAPED_S
    while True:
        status = _kept_status(descriptor)
        if status is None:
            status = _status_of_zombie(pid)
        if status is not None or time.monotonic() > deadline_s:
            return status
        time.sleep(0.02)


def _kept_status(descriptor: int) -> int | None:
    info = bytearray(struct.pack("<Q", _INFO_EXIT).ljust(_INFO_BYTES, b"\0"))
    try:
        fcntl.ioctl(descriptor, _GET_INFO, info)
    except OSError:  # an older kernel
        return None
    (known,) = struct.unpack_from("<Q", info)
    return os.waitstatus_to_exitcode(*struct.unpack_from("<i", info, _EXIT_CODE_AT)) if known & _INFO_EXIT else None


def _status_of_zombie(pid: int) -> int | None:
    """The last field of proc_pid_stat(5), which others than its user read as 0."""
    try:
        readable = os.geteuid() in (0, Path(f"/proc/{pid}").stat().st_uid)
    except OSError:  # its parent has waited for it
        return None
    fields = (read_proc(f"/proc/{pid}/stat") or b"").rpartition(b")")[2].split()
    return os.waitstatus_to_exitcode(int(fields[-1])) if readable and fields and fields[0] == b"Z" else None

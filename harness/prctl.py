"""Linux's ``prctl(2)``: what becomes of processes whose parent ends."""

from __future__ import annotations

import ctypes
import signal

_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36
_libc = ctypes.CDLL(None)


def die_with_parent(by: signal.Signals = signal.SIGKILL) -> None:
    """Have the kernel send this process a signal as soon as its parent ends; for ``preexec_fn``, too.

    The kernel also sends it when only the *thread* ends that started this process. A parent that ended before the call
    is not noticed. Forked processes do not inherit it.
    """
    _libc.prctl(_PR_SET_PDEATHSIG, by, 0, 0, 0)


def adopt_orphans() -> None:
    """Make this process the parent of all its descendants whose own parent ends. Forked processes do not inherit it."""
    _libc.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)

"""The limit of open files, of which each connection is one."""

from __future__ import annotations

import resource


def allow_many_files() -> int:
    """Raise this process's limit of open files to the maximum, and return it.

    The usual limit is 1,024, for programs that use ``select(2)``; the maximum is usually 20,000 or more.
    """
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard

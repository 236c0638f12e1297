"""The target that the environment names, for command lines that name none: set once for a container or a CI job."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from harness.api.options import RunOptions, several
from harness.errors import HarnessError

HOST, PID, ALLOWED = "HARNESS_HOST", "HARNESS_PID", "HARNESS_ALLOW_HOST"


def with_target_from(environment: Mapping[str, str], options: RunOptions) -> RunOptions:
    """``options`` with the target of HARNESS_HOST, HARNESS_PID and HARNESS_ALLOW_HOST (names separated by spaces).

    They count only if ``options`` name no target. Raises :class:`HarnessError` if HARNESS_PID is not a process number.
    """
    host, pid = environment.get(HOST), environment.get(PID)
    if not host or options.host is not None or options.target is not None:
        return options
    if pid and not (pid.isascii() and pid.isdigit() and len(pid) < 20 and int(pid)):
        raise HarnessError("pid-not-a-number", where=PID, pid=pid)
    return replace(
        options,
        host=host,
        pid=options.pid or (int(pid) if pid else None),
        allow_host=(*several(options.allow_host), *environment.get(ALLOWED, "").split()),
    )

"""The target that the environment names, for command lines that name none: what a container, or a CI job, sets once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from harness.errors import HarnessError

HOST, PID, ALLOWED = "HARNESS_HOST", "HARNESS_PID", "HARNESS_ALLOW_HOST"


@dataclass(frozen=True)
class TargetSelection:
    """What ``--host``, ``--pid`` and ``--allow-host`` would have said."""

    host: str
    pid: int | None
    allowed: tuple[str, ...]


def target_of(environment: Mapping[str, str]) -> TargetSelection | None:
    """Of HARNESS_HOST, HARNESS_PID and HARNESS_ALLOW_HOST (names with spaces between); None without the first.

    Raises :class:`HarnessError` where the number of a process is none.
    """
    host, pid = environment.get(HOST), environment.get(PID)
    if not host:
        return None
    if pid and not (pid.isascii() and pid.isdigit() and len(pid) < 20 and int(pid)):
        raise HarnessError(f'"{pid}" is no number of a process', where=PID, hint="`pgrep -af NAME` finds it.")
    return TargetSelection(host, int(pid) if pid else None, tuple(environment.get(ALLOWED, "").split()))

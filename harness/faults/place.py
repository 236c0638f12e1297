"""What faults may touch, as plain data: it is sent to the process that carries them out."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict

from harness.errors import HarnessError
from harness.messages import quoted
from harness.proxies.control import ProxyPlace

if TYPE_CHECKING:
    import psutil

_RESPONSE_S = 30.0


class _Plain(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class TargetPlace(_Plain):
    """The processes of one target: those below ``parent``, and it itself if the harness has not started it."""

    url: str
    parent: int | None
    """The supervisor of a managed target, which stays the same if the target starts again; the process itself of an
    attached one; None: not known."""
    control: str | None = None
    """The Unix socket through which the supervisor of a managed target kills and starts it."""

    @property
    def managed(self) -> bool:
        return self.control is not None

    def ask(self, order: str) -> dict[str, Any] | None:
        """Have the supervisor ``kill``, ``start`` or ``restart`` the target; None if both are gone.

        Raises :class:`HarnessError` if it could not.
        """
        assert self.control is not None
        response = b""
        with socket.socket(socket.AF_UNIX) as channel:
            channel.settimeout(_RESPONSE_S)
            try:
                channel.connect(self.control)
                channel.sendall(f"{order}\n".encode())
                while read := channel.recv(4096):
                    response += read
            except TimeoutError as error:
                raise HarnessError("fault-supervisor-silent", seconds=_RESPONSE_S) from error
            except OSError:
                return None
        if not response:
            return None
        found: dict[str, Any] = json.loads(response)
        if "error" in found:
            raise HarnessError("fault-target-not-started", reason=found["error"])
        return found


class Place(_Plain):
    """What faults may touch."""

    targets: tuple[TargetPlace, ...] = ()
    """Of a run, in a duet of both builds."""
    allowed: tuple[str, ...] = ()
    """``allowed_faults``."""
    proxies: dict[str, tuple[ProxyPlace, ...]] = {}
    """By name; only the target's may be several, in a duet."""
    harness: int = 0
    """The process that makes the run: nothing that it has started is touched, except the targets."""
    started: dict[int, int] = {}
    """When the processes started that are known by their number, in clock ticks since the machine did: another process
    gets the same number once they have ended."""

    def knowing(self, pids: Iterable[int]) -> Place:
        """This place, for which these numbers mean the processes that have them now."""
        started = {pid: ticks for pid in pids if (ticks := _started(pid)) is not None}
        return self.model_copy(update={"started": started})

    def process(self, pid: int) -> psutil.Process | None:
        """The process that had this number when the place was made known; None if it has ended."""
        import psutil

        try:
            process = psutil.Process(pid)  # first, because it stores when the process started
        except psutil.NoSuchProcess:
            return None
        ticks = _started(pid)
        return process if self.started.get(pid, ticks) == ticks else None

    def processes_of(self, target: TargetPlace) -> list[psutil.Process]:
        """Those that run now, parents first."""
        import psutil

        root = None if target.parent is None else self.process(target.parent)
        try:
            return [] if root is None else [*([] if target.managed else [root]), *root.children(recursive=True)]
        except psutil.NoSuchProcess:
            return []

    def require_allowed(self, name: str) -> None:
        """Raises :class:`HarnessError` unless ``allowed_faults`` has ``name``."""
        if name not in self.allowed:
            raise HarnessError("fault-not-allowed", name=name, setting=setting_to_allow(name, self.allowed))


def _started(pid: int) -> int | None:
    """proc_pid_stat(5). psutil's time changes with the clock of the machine."""
    try:
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19])
    except OSError:
        return None


def setting_to_allow(name: str, allowed: Sequence[str]) -> str:
    """The line of ``[tool.harness]`` that allows faults on ``name`` beside those on ``allowed``."""
    return f"allowed_faults = [{', '.join(map(quoted, (*allowed, name)))}]"

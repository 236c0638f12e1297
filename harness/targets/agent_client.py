"""The harness's side of the agent, which in a target's Python processes traces memory and sees what tasks wait for.

The other side is ``harness/targets/agent/``. The target's Python loads it by itself: its folder is first in
``PYTHONPATH`` and holds a ``sitecustomize.py``. Each process listens on a Unix socket in a private folder, named by its
process id. A request and its response are one JSON line each.
"""

from __future__ import annotations

import errno
import json
import os
import select
import socket
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

AGENT_FOLDER = str(Path(__file__).parent / "agent")
_TIMEOUT_S = 30.0
_LOOK_TIMEOUT_S = 2.0
"""A process that is paused must not hold up the end of the phase."""
_ENDS_WITHIN_S = 5.0
"""The kernel closes the sockets of a process that ends some time before it has ended."""


class AgentError(Exception):
    """The agent could not do what was requested; the text says why, for people."""


class AgentGoneError(AgentError):
    """The agent's process has ended."""


@dataclass(frozen=True, slots=True)
class WaitingTasks:
    """The tasks of asyncio in a process that wait at one moment."""

    stacks: dict[str, int]
    """How many tasks wait with each stack: its functions as py-spy writes them, the root first, separated by ``;``."""
    cost_s: float
    """The CPU time that looking took in the process."""


@dataclass(frozen=True, slots=True)
class Agent:
    """The agent in process ``pid``. Its methods raise :class:`AgentError`."""

    pid: int
    address: Path

    @property
    def is_alive(self) -> bool:
        """Whether its process still runs."""
        try:
            return psutil.Process(self.pid).status() != psutil.STATUS_ZOMBIE
        except psutil.NoSuchProcess:
            return False

    def start(self, path: Path) -> Path:
        """Have memray trace every allocation of the process into ``path``; returns when it does.

        A process that was forked from a traced one is traced already: the file that it writes is returned.
        """
        return Path(self._send({"do": "start", "path": str(path.absolute())})["tracing"])

    def stop(self) -> None:
        """End the trace; its file is then whole."""
        self._send({"do": "stop"})

    def waiting_tasks(self) -> WaitingTasks:
        """What the tasks of its event loops wait for now."""
        found = self._send({"do": "tasks"}, timeout_s=_LOOK_TIMEOUT_S)
        return WaitingTasks(found["stacks"], found["cost_s"])

    def _send(self, request: dict[str, str], timeout_s: float = _TIMEOUT_S) -> dict[str, Any]:
        try:
            with socket.socket(socket.AF_UNIX) as channel:
                channel.settimeout(timeout_s)
                channel.connect(str(self.address))
                channel.sendall(json.dumps(request).encode() + b"\n")
                with channel.makefile("r", encoding="utf-8") as lines:
                    line = lines.readline()
                if not line.endswith("\n"):
                    raise ConnectionResetError(errno.ECONNRESET, os.strerror(errno.ECONNRESET))
        except OSError as error:
            gone = isinstance(error, ConnectionError) and self._ends()
            raise (AgentGoneError if gone else AgentError)(
                f"process {self.pid} does not respond: {error.strerror or error}"
            ) from error
        response: dict[str, Any] = json.loads(line)
        if "error" in response:
            raise AgentError(response["error"])
        return response

    def _ends(self) -> bool:
        """Whether the process has ended, or does so soon."""
        try:
            process, ended = os.pidfd_open(self.pid), select.poll()
        except ProcessLookupError:
            return True
        try:
            ended.register(process, select.POLLIN)
            return bool(ended.poll(_ENDS_WITHIN_S * 1000))
        finally:
            os.close(process)


def agent_environment(folder: Path, pythonpath: str | None) -> dict[str, str]:
    """The variables that put the agent into every Python process started with them; ``folder`` takes the sockets."""
    return {
        "HARNESS_AGENT_FOLDER": str(folder),
        "PYTHONPATH": os.pathsep.join([AGENT_FOLDER, *([pythonpath] if pythonpath else [])]),
    }


def agents_in(folder: Path) -> list[Agent]:
    """The agents that listen in ``folder``, those of ended processes left out."""
    found = [Agent(int(path.stem), path) for path in sorted(folder.glob("*.sock")) if path.stem.isdigit()]
    return [agent for agent in found if agent.is_alive]

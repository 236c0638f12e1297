"""The harness's side of the memory agent, which traces memory in a target's Python processes.

The other side is ``harness/targets/agent/``. The target's Python loads it by itself: its folder is first in
``PYTHONPATH`` and holds a ``sitecustomize.py``. Each process listens on a Unix socket in a private folder, named by its
process id. A request and its response are one JSON line each.
"""

from __future__ import annotations

import json
import os
import socket
from dataclasses import dataclass
from pathlib import Path

import psutil

AGENT_FOLDER = str(Path(__file__).parent / "agent")
_TIMEOUT_S = 30.0


class AgentError(Exception):
    """The agent could not do what was requested; the text says why, for people."""


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

    def _send(self, request: dict[str, str]) -> dict[str, str]:
        try:
            with socket.socket(socket.AF_UNIX) as channel:
                channel.settimeout(_TIMEOUT_S)
                channel.connect(str(self.address))
                channel.sendall(json.dumps(request).encode() + b"\n")
                with channel.makefile("r", encoding="utf-8") as lines:
                    response: dict[str, str] = json.loads(lines.readline() or '{"error": "the process ended"}')
        except OSError as error:
            raise AgentError(f"process {self.pid} does not respond: {error.strerror or error}") from error
        if "error" in response:
            raise AgentError(response["error"])
        return response


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

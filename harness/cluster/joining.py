"""How a remote machine joins a run: its request, and the master's reply with plan and scenario.

Both travel over the connection of ``harness.cluster.transport`` in Locust's format: ``(type, data, sender)`` in
msgpack. The reply is written to a folder here, in which ``scenario/`` holds what was sent. What the harness itself
writes lies beside it, so that no file of a scenario is in its way. The master knows the secret, but may be wrong: all
that it sends is validated.

Versions are compared first. The harness, its messages and Locust decide *what* is done and how it is counted, so they
must be the same. Python and gevent only decide how fast. Each worker reports how busy it was, and a saturated worker
voids its phase, so there a warning is enough.
"""

from __future__ import annotations

import importlib.metadata
import platform
import socket
from pathlib import Path
from typing import Any

import msgpack
from pydantic import BaseModel, ConfigDict

from harness.cluster import messages
from harness.cluster.bundle import Bundle
from harness.errors import ExitCode, HarnessError
from harness.messages import Message, message
from harness.plan.model.run import RunPlan

_BOOT = Path("/proc/sys/kernel/random/boot_id")
_NETWORK = Path("/proc/self/ns/net")

WIRE = 4
"""The version of the messages between master and workers (``harness.cluster.messages``); raised when they change."""
_MUST_AGREE = ("messages", "harness", "locust")
_SHOULD_AGREE = ("python", "gevent")


def join_request(workers: int) -> dict[str, Any]:
    """``harness.join_request`` of this machine, which offers this number of workers."""
    return {"versions": versions(), "host": socket.gethostname(), "loopback": loopback(), "workers": workers}


def loopback() -> str:
    """Identifies the loopback network of this process: equal for two processes if they share it."""
    return f"{_BOOT.read_text(encoding='ascii').strip()}/{_NETWORK.stat().st_ino}"


def pack(kind: str, data: dict[str, Any], sender: str) -> bytes:
    return bytes(msgpack.packb((kind, data, sender)))


def unpack(message: bytes) -> tuple[str, dict[str, Any]]:
    """Type and data. Raises ``ValueError`` if it is not such a message."""
    try:
        kind, data, _ = msgpack.unpackb(message, raw=False, strict_map_key=False)
    except (TypeError, msgpack.UnpackException) as error:
        raise ValueError("not a message") from error
    return kind, data or {}


def scenario_folder(folder: Path) -> Path:
    """The working folder of the workers: scenarios may open files by paths relative to where harness was called."""
    return folder / "scenario"


class JoinAccepted(BaseModel):
    """The master accepts this machine. ``indexes``: the numbers of its workers; ``plan``: a ``RunPlan`` as JSON."""

    model_config = ConfigDict(frozen=True)

    indexes: list[int]
    plan: str
    target: str
    scenario: tuple[str, ...]
    files: dict[str, bytes]
    data: Any = None
    """What the scenario's ``setup`` returned."""
    warnings: list[dict[str, Any]]

    @classmethod
    def read(cls, message: bytes, master: str) -> JoinAccepted | None:
        """The acceptance in this message of the master; None if it is another message, and the reply is yet to come.

        Raises :class:`HarnessError` if the master rejects this machine, or the reply cannot be understood.
        """
        try:
            kind, data = unpack(message)
            if kind == messages.ACCEPTED:
                return cls.model_validate(data)
            reason = Message.from_data(data["reason"]) if kind == messages.REJECTED else None
        except (ValueError, LookupError, TypeError) as error:
            raise _not_understood(master) from error
        if reason is not None:
            raise HarnessError("join-rejected", where=master, reason=reason)
        return None

    def differences(self) -> list[Message]:
        """What to warn of. Raises ``ValueError`` if the master sent something else."""
        return [Message.from_data(warning) for warning in self.warnings]

    def write_to(self, folder: Path, master: str) -> RunPlan:
        """Write the scenario; the plan, with the paths of this machine.

        Raises :class:`HarnessError` if they cannot be written or understood.
        """
        here = scenario_folder(folder)
        try:
            sent = RunPlan.model_validate_json(self.plan)
            here.mkdir(mode=0o700)
            files = tuple(map(str, Bundle(self.scenario, self.files).write_to(here)))
        except OSError as error:
            raise HarnessError("scenario-not-written", where=str(here), reason=error.strerror or str(error)) from error
        except ValueError as error:
            raise _not_understood(master) from error
        own = {"path": files[0], "files": files if sent.scenario.files else ()}
        return sent.model_copy(update={"scenario": sent.scenario.model_copy(update=own)})


def _not_understood(master: str) -> HarnessError:
    return HarnessError("join-reply-not-understood", where=master, exit_code=ExitCode.BROKEN)


def versions() -> dict[str, str]:
    """Of this process's installation."""
    found = {name: importlib.metadata.version(name) for name in ("harness", "locust", "gevent")}
    return {"messages": str(WIRE), **found, "python": ".".join(platform.python_version_tuple()[:2])}


def differences(master: dict[str, str], worker: dict[str, str]) -> tuple[list[Message], list[Message]]:
    """The differences for which a worker is rejected, and those that are only warned of."""
    differing = {
        name: {"name": name, "worker": worker.get(name, "unknown"), "master": version}
        for name, version in master.items()
        if worker.get(name) != version
    }
    rejected = [message("version-must-agree", **differing[name]) for name in _MUST_AGREE if name in differing]
    warned = [message("version-should-agree", **differing[name]) for name in _SHOULD_AGREE if name in differing]
    return rejected, warned

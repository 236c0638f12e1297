"""Starts the target of a run on a free port, or attaches to a running one."""

from __future__ import annotations

import os
import shlex
import signal
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from harness.errors import ExitCode, HarnessError
from harness.messages import Message, Option, message
from harness.messages.signals import how_it_ended
from harness.plan.model.target import AllowedHost, AttachedTarget, CommandTarget, PlannedTarget, ShopTarget
from harness.record.measurement import ONLY
from harness.record.redaction import redacted_command
from harness.record.run_folder import RunFolder
from harness.targets import health
from harness.targets.agent_client import Agent, agent_environment, agents_in
from harness.targets.kernel_log import OutOfMemoryWatch
from harness.targets.log_tail import last_lines
from harness.targets.supervised_process import SupervisedProcess
from harness.targets.target import RUNNING, Attached, Target
from harness.targets.tracing import Tracing, instrumented, otel_environment

if TYPE_CHECKING:
    from harness.faults import TargetPlace

_ATTEMPTS = 3
"""Ports to try in turn if another process takes the free one before the target does."""
_STOP_GRACE_S = 10.0
_SHOP = "python -m harness.shop --host 127.0.0.1 --port {port}"
_LONGEST_SOCKET_FOLDER = 70
"""A Unix socket's path has at most about 104 characters."""


def start_target(
    plan: PlannedTarget,
    folder: RunFolder,
    *,
    variant: str = ONLY,
    agent: bool = True,
    faults: bool = False,
    allowed_hosts: Sequence[AllowedHost] = (),
    secret_names: Sequence[str] = (),
    tracing: Tracing | None = None,
) -> Target:
    """Start the target, or find it; returns when it is ready for load.

    ``agent`` puts the agent into the Python processes of a managed target. Their output goes to the folder's
    log of the target's ``variant``, redacted; ``secret_names`` are the user's own. ``allowed_hosts`` are the plan's.
    With ``tracing``, a managed target sends its spans to the harness; with ``faults``, they can kill and start it.

    Raises :class:`HarnessError`, with exit code 4 if the target is missing or does not get ready.
    """
    if isinstance(plan, AttachedTarget):
        return Attached(plan, allowed_hosts, variant or "target")
    shop = isinstance(plan, ShopTarget)
    if isinstance(plan, ShopTarget):
        plan = CommandTarget(command=_SHOP, environment=plan.environment)
    words = _split(plan.command)
    if shop:
        words[0] = sys.executable
    log = folder.target_log_of(variant)
    for _ in range(_ATTEMPTS):
        port = health.free_port()
        log_starts = log.stat().st_size if log.exists() else 0
        target = _spawn(plan, words, port, log, agent=agent, faults=faults, secret_names=secret_names, tracing=tracing)
        try:
            seen = health.wait_until_ready(port, plan.ready_path, plan.ready_timeout_s, target.is_alive)
            if seen is None and target.is_alive():
                return target
            ended = None if target.is_alive() else target.exit_description()
        except BaseException:  # raised again: an interrupt must leave no target behind, either
            target.stop()
            raise
        target.stop()
        if ended is not None and health.is_taken(port):
            continue  # another process took this port before the target did
        raise _not_ready(plan, ended, seen, log, log_starts)
    raise HarnessError(
        "target-port-taken",
        where=redacted_command(plan.command),
        exit_code=ExitCode.BROKEN,
        attempts=_ATTEMPTS,
        log=log,
    )


class Managed(Target):
    """A target that the harness starts, and ends with all its processes."""

    managed = True

    def __init__(
        self,
        plan: CommandTarget,
        port: int,
        process: SupervisedProcess,
        agent_folder: Path | None,
        control: Path | None,
    ) -> None:
        self.url = f"http://{health.LOOPBACK}:{port}"
        self._plan = plan
        self._port = port
        self._process = process
        self._agent_folder = agent_folder
        self._control = None if control is None else str(control)
        self._memory = OutOfMemoryWatch(self.pid)

    @property
    def pid(self) -> int:
        self._process.poll()
        return self._process.pid

    @property
    def place(self) -> TargetPlace:
        from harness.faults.place import TargetPlace  # only here: few runs have faults

        return TargetPlace(url=self.url, parent=self._process.supervisor_pid, control=self._control)

    def wait_until_ready(self, impatient: Callable[[], bool] = lambda: False) -> None:
        def goes_on() -> bool:
            return self.is_alive() and not impatient()

        health.wait_until_ready(self._port, self._plan.ready_path, self._plan.ready_timeout_s, goes_on)

    def is_alive(self) -> bool:
        return self._process.poll() is None

    def exit_status(self) -> int | None:
        status = self._process.poll()
        return None if self._process.supervisor_lost else status

    def exit_description(self) -> Message:
        status = self._process.poll()
        if status is None:
            return RUNNING
        if self._process.supervisor_lost:
            return message("target-supervisor-killed")
        return how_it_ended(status, out_of_memory=-status == signal.SIGKILL and self._memory.killed(self.pid))

    def describe(self) -> str:
        what = "the embedded shop" if self._plan.command == _SHOP else redacted_command(self._plan.command)
        return f"{self._plan.revision or what}, at {self.url}"

    def agents(self) -> list[Agent]:
        return agents_in(self._agent_folder) if self._agent_folder else []

    def stop(self) -> None:
        self._process.stop(_STOP_GRACE_S)


def _split(command: str) -> list[str]:
    try:
        words = shlex.split(command)
    except ValueError as error:
        raise HarnessError("target-command-invalid", where=redacted_command(command), reason=str(error)) from error
    if not words:
        raise HarnessError("target-command-empty", where=Option("target"))
    return words


def _spawn(
    plan: CommandTarget,
    words: list[str],
    port: int,
    log: Path,
    *,
    agent: bool,
    faults: bool,
    secret_names: Sequence[str],
    tracing: Tracing | None,
) -> Managed:
    # Replaced, not formatted: a command may hold other braces (JSON).
    filled = [word.replace("{port}", str(port)) for word in words]
    given = os.environ | {"PORT": str(port)} | plan.environment
    settings = given if tracing is None else otel_environment(tracing, _service(plan), given) | plan.environment
    if plan.folder is not None:
        settings["PWD"] = plan.folder
    sockets = None
    if agent or faults:
        long = len(tempfile.gettempdir()) > _LONGEST_SOCKET_FOLDER
        sockets = Path(tempfile.mkdtemp(prefix="harness-", dir="/tmp" if long else None))
    agent_folder = sockets if agent else None
    if faults and sockets is not None and plan.command == _SHOP:  # so that it keeps its orders when it is started again
        settings = {"SHOP_DATA_DIR": str(sockets / "shop"), "SHOP_SALE": sockets.name} | settings
    if agent_folder is not None:
        settings |= agent_environment(agent_folder, settings.get("PYTHONPATH"))
    control = sockets / "control" if sockets is not None and faults else None
    if tracing is not None:
        filled = instrumented(filled, settings, tracing)
    process = SupervisedProcess(
        filled, settings, log, folder=plan.folder, remove=sockets, control=control, secret_names=secret_names
    )
    return Managed(plan, port, process, agent_folder, control)


def _service(plan: CommandTarget) -> str:
    return "shop" if plan.command == _SHOP else Path(_split(plan.command)[0]).name


def _not_ready(
    plan: CommandTarget, ended: Message | None, seen: Message | None, log: Path, log_starts: int
) -> HarnessError:
    if ended is not None and ended.code == "target-supervisor-killed":  # nothing is known of the target
        return HarnessError("supervisor-not-started", exit_code=ExitCode.BROKEN, reason="it was killed")
    lines = last_lines(log, log_starts)
    shown: dict[str, object] = {"log": log, "output": "".join(f"\n    {line}" for line in lines) or "\n    (none)"}
    if ended is None:
        code = "target-not-ready"
        shown |= {"timeout_s": plan.ready_timeout_s, "path": plan.ready_path, "seen": seen, "option": Option("ready")}
    else:
        code = (
            "target-own-port-taken"
            if any("address already in use" in line.lower() for line in lines)
            else "target-ended-early"
        )
        shown |= {"ended": ended}
    return HarnessError(code, where=redacted_command(plan.command), exit_code=ExitCode.BROKEN, **shown)

"""Start or find the target of a run: the three kinds of :data:`harness.plan.model.Target`, all as a :class:`Target`."""

from __future__ import annotations

import os
import shlex
import signal
import sys
import tempfile
from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

import psutil

from harness.errors import ExitCode, HarnessError
from harness.plan import model
from harness.record.redaction import redacted, redacted_command
from harness.record.run_folder import RunFolder
from harness.targets import health
from harness.targets.agent_client import Agent, agent_environment, agents_in
from harness.targets.supervised_process import SupervisedProcess

_ATTEMPTS = 3
"""How often another port is tried when somebody took the one we had found free."""
_STOP_GRACE_S = 10.0
_LOG_LINES_SHOWN = 15
_LOG_LINE_LENGTH = 300
_LOG_BYTES_READ = 64 * 1024
"""A target may have written any amount before it failed; its last words are what tells."""
_SHOP = "python -m harness.shop --host 127.0.0.1 --port {port}"
_LONGEST_SOCKET_FOLDER = 70
"""A Unix socket's path ends at about 104 characters."""


class Target(ABC):
    """The system under test while a run lasts; a context manager that ends what it started."""

    url: str
    """Base URL without a slash at its end."""
    pid: int | None
    """Root of the process tree that samplers look at; None where it is not known."""
    managed: bool
    """Whether the harness started it (and ends it)."""

    @abstractmethod
    def is_alive(self) -> bool:
        """Whether it still runs; true for an attached target whose process is not known."""

    @abstractmethod
    def exit_description(self) -> str:
        """How it ended, as a person reads it: ``exited with code 1``."""

    @abstractmethod
    def describe(self) -> str:
        """What it is, as a person reads it: without the secrets in it."""

    @abstractmethod
    def agents(self) -> list[Agent]:
        """One agent for each of its Python processes that can trace memory; empty where there are none."""

    @abstractmethod
    def stop(self) -> None:
        """End it, with all its processes, if the harness started it. May be called twice."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


def start_target(
    plan: model.Target,
    folder: RunFolder,
    *,
    agent: bool = True,
    allowed_hosts: Sequence[model.AllowedHost] = (),
    secret_names: Sequence[str] = (),
) -> Target:
    """Start the target, or find it; returns when it is ready for load.

    ``agent`` puts the memory agent into the Python processes of a managed target. Their output goes to the folder's
    ``target.log``, redacted; ``secret_names`` are the user's own. ``allowed_hosts`` are the plan's.

    Raises :class:`HarnessError`, with exit code 4 if the target is missing or does not get ready.
    """
    if isinstance(plan, model.AttachedTarget):
        return _Attached(plan, allowed_hosts)
    return _start_managed(plan, folder.target_log, agent=agent, secret_names=secret_names)


class _Attached(Target):
    managed = False

    def __init__(self, plan: model.AttachedTarget, allowed_hosts: Sequence[model.AllowedHost]) -> None:
        self.url = plan.url.rstrip("/")
        self.pid = plan.pid
        self._process: psutil.Process | None = None
        host, port = health.require_allowed(plan.url, allowed=plan.allowed, known=allowed_hosts)
        if plan.pid is not None:
            try:
                self._process = psutil.Process(plan.pid)
            except psutil.NoSuchProcess as error:
                raise HarnessError(
                    "there is no process with this number", where=f"--pid {plan.pid}", hint="`pgrep -af NAME` finds it."
                ) from error
        health.require_listener(plan.url, host, port)

    def is_alive(self) -> bool:
        # is_running compares the start time too: another process may get the number
        return self._process is None or (self._process.is_running() and self._process.status() != psutil.STATUS_ZOMBIE)

    def exit_description(self) -> str:
        return "still runs" if self.is_alive() else f"process {self.pid} has ended"

    def describe(self) -> str:
        return f"attached: {redacted(self.url)}" + ("" if self.pid is None else f" (process {self.pid})")

    def agents(self) -> list[Agent]:
        return []

    def stop(self) -> None:
        """An attached target stays as it is."""


class _Managed(Target):
    managed = True

    def __init__(self, command: str, port: int, process: SupervisedProcess, agent_folder: Path | None) -> None:
        self.url = f"http://{health.LOOPBACK}:{port}"
        self._command = command
        self._process = process
        self._agent_folder = agent_folder
        self.pid: int = process.pid

    def is_alive(self) -> bool:
        return self._process.poll() is None

    def exit_description(self) -> str:
        status = self._process.poll()
        if status is None:
            return "still runs"
        if status >= 0:
            return f"exited with code {status}"
        by_memory = ": out of memory?" if -status == signal.SIGKILL else ""
        return f"was killed by {signal.Signals(-status).name}{by_memory}"

    def describe(self) -> str:
        what = "the embedded shop" if self._command == _SHOP else redacted_command(self._command)
        return f"{what}, at {self.url}"

    def agents(self) -> list[Agent]:
        return agents_in(self._agent_folder) if self._agent_folder else []

    def stop(self) -> None:
        self._process.stop(_STOP_GRACE_S)


def _start_managed(
    plan: model.ShopTarget | model.CommandTarget, log: Path, *, agent: bool, secret_names: Sequence[str]
) -> Target:
    shop = isinstance(plan, model.ShopTarget)
    command = _SHOP if isinstance(plan, model.ShopTarget) else plan.command
    ready_path = "/health" if isinstance(plan, model.ShopTarget) else plan.ready_path
    timeout_s = 60.0 if isinstance(plan, model.ShopTarget) else plan.ready_timeout_s
    words = _split(command)
    if shop:
        words[0] = sys.executable
    for _ in range(_ATTEMPTS):
        port = health.free_port()
        log_starts = log.stat().st_size if log.exists() else 0
        target = _spawn(command, words, port, plan.environment, log, agent=agent, secret_names=secret_names)
        try:
            seen = health.wait_until_ready(port, ready_path, timeout_s, target.is_alive)
            if seen is None and target.is_alive():
                return target
            alive, ended = target.is_alive(), target.exit_description()
        except BaseException:  # raised again: an interrupt, too, must leave no target behind
            target.stop()
            raise
        target.stop()
        if not alive and health.is_taken(port):
            continue  # somebody else got this port between our look and the target's
        raise _not_ready(command, ready_path, timeout_s, None if alive else ended, seen, log, log_starts)
    raise HarnessError(
        f"the target found its port in use, {_ATTEMPTS} times over, with another port each time",
        where=redacted_command(command),
        hint=f"Its output is in {log}.",
        exit_code=ExitCode.BROKEN,
    )


def _split(command: str) -> list[str]:
    try:
        words = shlex.split(command)
    except ValueError as error:
        raise HarnessError(f"the target's command cannot be read: {error}", where=redacted_command(command)) from error
    if not words:
        raise HarnessError(
            "the target's command is empty", where="--target", hint="Such as: --target 'app --port {port}'"
        )
    return words


def _spawn(
    command: str,
    words: list[str],
    port: int,
    environment: dict[str, str],
    log: Path,
    *,
    agent: bool,
    secret_names: Sequence[str],
) -> _Managed:
    # replaced, not formatted: a command may well hold other braces (JSON)
    filled = [word.replace("{port}", str(port)) for word in words]
    settings = os.environ | {"PORT": str(port)} | environment
    agent_folder = None
    if agent:
        long = len(tempfile.gettempdir()) > _LONGEST_SOCKET_FOLDER
        agent_folder = Path(tempfile.mkdtemp(prefix="harness-", dir="/tmp" if long else None))
        settings |= agent_environment(agent_folder, settings.get("PYTHONPATH"))
    process = SupervisedProcess(filled, settings, log, remove=agent_folder, secret_names=secret_names)
    return _Managed(command, port, process, agent_folder)


def _not_ready(
    command: str, path: str, timeout_s: float, ended: str | None, seen: str | None, log: Path, log_starts: int
) -> HarnessError:
    with log.open("rb") as file:
        file.seek(max(log_starts, file.seek(0, os.SEEK_END) - _LOG_BYTES_READ))
        output = file.read().decode(errors="replace")
    lines = [line[:_LOG_LINE_LENGTH] for line in output.strip().splitlines()[-_LOG_LINES_SHOWN:]]
    shown = "".join(f"\n    {line}" for line in lines) or "\n    (none)"
    taken = "address already in use" in output.lower()
    if ended is not None:
        message = f"the target {ended} before it was ready"
        hint = (
            "A port it wants is in use. Write {port} in the command where its port stands, or end what listens there."
            if taken
            else "Try the command by itself: it must run until it is told to stop."
        )
    else:
        message = f"the target was not ready after {timeout_s:g} s: GET {path}: {seen}"
        hint = (
            "It must listen on the port that {port} in the command (or PORT in its environment) names, "
            "and answer 2xx there: --ready PATH"
        )
    return HarnessError(
        f"{message}\n  Its last output ({log}):{shown}",
        where=redacted_command(command),
        hint=hint,
        exit_code=ExitCode.BROKEN,
    )

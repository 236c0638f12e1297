"""Starts the target of a run, or attaches to a running one; both become a :class:`Target`."""

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

from harness.errors import ExitCode, HarnessError, Message, Option, message
from harness.plan import model
from harness.record.redaction import redacted, redacted_command
from harness.record.run_folder import RunFolder
from harness.targets import health
from harness.targets.agent_client import Agent, agent_environment, agents_in
from harness.targets.supervised_process import SupervisedProcess

_ATTEMPTS = 3
"""Ports to try in turn if another process takes the free one before the target does."""
_STOP_GRACE_S = 10.0
_LOG_LINES_SHOWN = 15
_LOG_LINE_LENGTH = 300
_LOG_BYTES_READ = 64 * 1024
"""A target may write any amount before it fails; the reason is in the last lines."""
_SHOP = "python -m harness.shop --host 127.0.0.1 --port {port}"
_LONGEST_SOCKET_FOLDER = 70
"""A Unix socket's path has at most about 104 characters."""
_RUNNING = message("target-running", "still runs")


class Target(ABC):
    """The system under test while a run lasts; a context manager that ends what it started."""

    url: str
    """Base URL without a slash at its end."""
    pid: int | None
    """Root of the process tree that samplers watch; None if it is not known."""
    managed: bool
    """Whether the harness started it (and ends it)."""

    @abstractmethod
    def is_alive(self) -> bool:
        """Whether it still runs; true for an attached target whose process is not known."""

    @abstractmethod
    def exit_description(self) -> Message:
        """How it ended: ``exited with code 1``."""

    @abstractmethod
    def describe(self) -> str:
        """What it is, for people: without secrets."""

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
                    "target-pid-not-found",
                    "there is no process with this id",
                    where=Option("pid", plan.pid),
                    hint="`pgrep -af NAME` finds it.",
                ) from error
        health.require_listener(plan.url, host, port)

    def is_alive(self) -> bool:
        # is_running compares the start time too: another process may get the same id.
        return self._process is None or (self._process.is_running() and self._process.status() != psutil.STATUS_ZOMBIE)

    def exit_description(self) -> Message:
        return _RUNNING if self.is_alive() else message("target-ended", "process {pid} has ended", pid=self.pid)

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

    def exit_description(self) -> Message:
        status = self._process.poll()
        if status is None:
            return _RUNNING
        if status >= 0:
            return message("target-exited", "exited with code {status}", status=status)
        name = signal.Signals(-status).name
        if -status == signal.SIGKILL:
            return message("target-sigkill", "was killed by {signal}: out of memory?", signal=name)
        return message("target-killed", "was killed by {signal}", signal=name)

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
        except BaseException:  # raised again: an interrupt must leave no target behind, either
            target.stop()
            raise
        target.stop()
        if not alive and health.is_taken(port):
            continue  # another process took this port before the target did
        raise _not_ready(command, ready_path, timeout_s, None if alive else ended, seen, log, log_starts)
    raise HarnessError(
        "target-port-taken",
        "the target found its port in use, {attempts} times with another port each",
        where=redacted_command(command),
        hint="Its output is in {log}.",
        exit_code=ExitCode.BROKEN,
        attempts=_ATTEMPTS,
        log=log,
    )


def _split(command: str) -> list[str]:
    try:
        words = shlex.split(command)
    except ValueError as error:
        raise HarnessError(
            "target-command-invalid",
            "invalid command of the target: {reason}",
            where=redacted_command(command),
            reason=str(error),
        ) from error
    if not words:
        raise HarnessError(
            "target-command-empty",
            "the target's command is empty",
            where=Option("target"),
            hint="For example: 'app --port {{port}}'",
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
    # Replaced, not formatted: a command may hold other braces (JSON).
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
    command: str,
    path: str,
    timeout_s: float,
    ended: Message | None,
    seen: Message | None,
    log: Path,
    log_starts: int,
) -> HarnessError:
    with log.open("rb") as file:
        file.seek(max(log_starts, file.seek(0, os.SEEK_END) - _LOG_BYTES_READ))
        output = file.read().decode(errors="replace")
    lines = [line[:_LOG_LINE_LENGTH] for line in output.strip().splitlines()[-_LOG_LINES_SHOWN:]]
    shown = "".join(f"\n    {line}" for line in lines) or "\n    (none)"
    where = redacted_command(command)
    if ended is None:
        return HarnessError(
            "target-not-ready",
            "the target was not ready after {timeout_s:g} s: GET {path}: {seen}\n  Its last output ({log}):{output}",
            where=where,
            hint="It must listen on the port that {{port}} in the command (or PORT in its environment) names, and "
            "respond 2xx to the path of {option}",
            exit_code=ExitCode.BROKEN,
            timeout_s=timeout_s,
            path=path,
            seen=seen,
            log=log,
            output=shown,
            option=Option("ready"),
        )
    if "address already in use" in output.lower():
        return HarnessError(
            "target-own-port-taken",
            "the target {ended} before it was ready: its port is in use\n  Its last output ({log}):{output}",
            where=where,
            hint="Write {{port}} in the command in place of its port, or end what listens there.",
            exit_code=ExitCode.BROKEN,
            ended=ended,
            log=log,
            output=shown,
        )
    return HarnessError(
        "target-ended-early",
        "the target {ended} before it was ready\n  Its last output ({log}):{output}",
        where=where,
        hint="Try the command by itself: it must run until it is stopped.",
        exit_code=ExitCode.BROKEN,
        ended=ended,
        log=log,
        output=shown,
    )

"""The base class of targets, and a target that was already running: it is watched, but never ended."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Self

import psutil

from harness.errors import ExitCode, HarnessError
from harness.messages import Message, Option, message
from harness.plan.model.target import AllowedHost, AttachedTarget
from harness.record.redaction import redacted
from harness.targets import health
from harness.targets.agent_client import Agent

if TYPE_CHECKING:
    from harness.faults import TargetPlace

RUNNING = message("target-running")
_CHECK_EVERY_S = 1.0


class Target(ABC):
    """The system under test while a run lasts; a context manager that ends what it started."""

    url: str
    """Base URL without a slash at its end."""
    managed: bool
    """Whether the harness started it (and ends it)."""

    @property
    @abstractmethod
    def pid(self) -> int | None:
        """Root of the process tree that samplers watch; None if it is not known. A fault may start it again."""

    @property
    @abstractmethod
    def place(self) -> TargetPlace:
        """What faults may touch of it."""

    def wait_until_ready(self, impatient: Callable[[], bool] = lambda: False) -> None:  # noqa: B027
        """After a fault has started it again. Returns also if it is not ready in time, or the user is ``impatient``.

        What is attached, nobody here starts again.
        """

    @abstractmethod
    def is_alive(self) -> bool:
        """Whether it still runs; true for an attached target whose process is not known."""

    def exit_status(self) -> int | None:
        """Its exit code, or minus the number of the signal that killed it; None while it runs or if not known."""
        return None

    @abstractmethod
    def exit_description(self) -> Message:
        """How it ended: ``exited with code 1``."""

    def notice(self) -> Message | None:
        """What happened to it that the user should know although the load continues; reported once."""
        return None

    @abstractmethod
    def describe(self) -> str:
        """What it is, for people: without secrets."""

    @abstractmethod
    def agents(self) -> list[Agent]:
        """One agent for each of its Python processes that has one; empty where there are none."""

    @abstractmethod
    def stop(self) -> None:
        """End it, with all its processes, if the harness started it. May be called twice."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


class Attached(Target):
    managed = False

    def __init__(
        self, plan: AttachedTarget, allowed_hosts: Sequence[AllowedHost], start_option: str = "target"
    ) -> None:
        """``start_option`` would start the target instead."""
        self.url = plan.url.rstrip("/")
        self._pid = plan.pid
        self._process: psutil.Process | None = None
        self._pid_noticed = False
        self._checked_s = 0.0
        self._listens = True
        self._address: tuple[str, int] | None = None
        if self.url.lower().startswith(("http://", "https://")):  # else users know how to reach it
            self._address = health.require_allowed(plan.url, allowed=plan.allowed, known=allowed_hosts)
        if plan.pid is not None:
            try:
                self._process = psutil.Process(plan.pid)
            except psutil.NoSuchProcess as error:
                raise HarnessError("target-pid-not-found", where=Option("pid", plan.pid)) from error
        if self._address and (reason := health.why_not_listening(*self._address)):
            option = Option(start_option, "CMD")
            raise HarnessError(
                "target-unreachable", where=plan.url, exit_code=ExitCode.BROKEN, reason=reason, option=option
            )

    @property
    def pid(self) -> int | None:
        return self._pid

    @property
    def place(self) -> TargetPlace:
        from harness.faults.place import TargetPlace  # only here: few runs have faults

        return TargetPlace(url=redacted(self.url), parent=self._pid)

    def is_alive(self) -> bool:
        """Whether the process runs or, once it has ended, whether another still listens at the URL."""
        if self._process_runs():
            return True
        if time.monotonic() - self._checked_s > _CHECK_EVERY_S:
            self._checked_s = time.monotonic()
            self._listens = self._address is not None and not health.why_not_listening(*self._address)
        return self._listens

    def notice(self) -> Message | None:
        if self._pid_noticed or self._process_runs() or not self.is_alive():
            return None
        self._pid_noticed = True
        return message("target-pid-ended", pid=self.pid, url=redacted(self.url))

    def _process_runs(self) -> bool:
        # is_running compares the start time too: another process may get the same id.
        try:
            return self._process is None or (
                self._process.is_running() and self._process.status() != psutil.STATUS_ZOMBIE
            )
        except psutil.NoSuchProcess:  # it ended between the two
            return False

    def exit_description(self) -> Message:
        return RUNNING if self.is_alive() else message("target-ended", pid=self.pid)

    def describe(self) -> str:
        return (redacted(self.url) or "as the user classes find it") + (
            "" if self.pid is None else f" (process {self.pid})"
        )

    def agents(self) -> list[Agent]:
        return []

    def stop(self) -> None:
        """An attached target is not ended."""

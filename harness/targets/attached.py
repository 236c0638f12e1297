"""A target that was running before the harness, which watches it and leaves it as it is."""

from __future__ import annotations

from collections.abc import Sequence

import psutil

from harness.errors import HarnessError
from harness.messages import Message, Option, message
from harness.plan import model
from harness.record.redaction import redacted
from harness.targets import health
from harness.targets.agent_client import Agent
from harness.targets.target import RUNNING, Target


class Attached(Target):
    managed = False

    def __init__(self, plan: model.AttachedTarget, allowed_hosts: Sequence[model.AllowedHost]) -> None:
        self.url = plan.url.rstrip("/")
        self.pid = plan.pid
        self._process: psutil.Process | None = None
        is_http = self.url.lower().startswith(("http://", "https://"))  # else users know how to reach it
        if is_http:
            host, port = health.require_allowed(plan.url, allowed=plan.allowed, known=allowed_hosts)
        if plan.pid is not None:
            try:
                self._process = psutil.Process(plan.pid)
            except psutil.NoSuchProcess as error:
                raise HarnessError("target-pid-not-found", where=Option("pid", plan.pid)) from error
        if is_http:
            health.require_listener(plan.url, host, port)

    def is_alive(self) -> bool:
        # is_running compares the start time too: another process may get the same id.
        return self._process is None or (self._process.is_running() and self._process.status() != psutil.STATUS_ZOMBIE)

    def exit_description(self) -> Message:
        return RUNNING if self.is_alive() else message("target-ended", pid=self.pid)

    def describe(self) -> str:
        return (redacted(self.url) or "as the user classes find it") + (
            "" if self.pid is None else f" (process {self.pid})"
        )

    def agents(self) -> list[Agent]:
        return []

    def stop(self) -> None:
        """An attached target stays as it is."""

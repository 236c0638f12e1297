"""What every target is: the system under test while a run lasts."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Self

from harness.messages import Message, message
from harness.targets.agent_client import Agent

RUNNING = message("target-running")


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

    def notice(self) -> Message | None:
        """What has happened to it that the user should know though the load goes on; once."""
        return None

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

    def __exit__(self, *_: object) -> None:
        self.stop()

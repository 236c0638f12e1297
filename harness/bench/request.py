"""What ``harness bench`` asks of its plugin inside pytest."""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel


class Request(BaseModel):
    """Where the findings go, and what is asked. All paths are absolute.

    ``report`` is for a :class:`harness.record.suite.SuiteReport`, ``rounds`` for every round; ``gated`` are the names
    that gates use; ``only`` are the ids of the tests to run, None for those that pytest's arguments choose; ``memory``
    is a folder: each benchmark is then traced into a file there instead of measured.
    """

    report: str
    rounds: str
    gated: tuple[str, ...] = ()
    only: tuple[str, ...] | None = None
    memory: str | None = None

    def write(self, path: Path) -> Path:
        """The file that the plugin reads, absolute."""
        path.write_text(self.model_dump_json(), encoding="utf-8")
        return path.absolute()

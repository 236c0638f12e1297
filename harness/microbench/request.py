"""What ``harness bench`` asks of its plugin inside pytest."""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel


class Request(BaseModel):
    """Where the findings go, and what is asked. All paths are absolute.

    ``report`` is for a :class:`harness.record.suite.SuiteReport`; ``secret_names`` name the user's own secrets.
    ``paths`` are the tests where pytest's arguments name none.

    The session that measures: ``rounds`` is for every round, ``gated`` are the names that gates use, ``strict`` whether
    each must be a benchmark's also where the arguments choose tests. Those that look closer: ``only`` are the ids of
    the tests to run, ``pause_s`` is how long to wait before the first, ``memory`` is a folder: each benchmark is traced
    into a file there.
    """

    report: str
    secret_names: tuple[str, ...] = ()
    paths: tuple[str, ...] = ()
    rounds: str | None = None
    gated: tuple[str, ...] = ()
    strict: bool = True
    only: tuple[str, ...] | None = None
    pause_s: float = 0.0
    memory: str | None = None

    def write(self, path: Path) -> Path:
        """The file that the plugin reads, absolute."""
        path.write_text(self.model_dump_json(), encoding="utf-8")
        return path.absolute()

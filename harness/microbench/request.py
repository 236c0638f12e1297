"""What ``harness bench`` asks its plugin inside pytest to do."""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel


class Request(BaseModel):
    """What a session does, and where its results go. All paths are absolute.

    ``report`` is the file for the :class:`harness.record.suite.SuiteReport`; ``secret_names`` name the user's secrets.
    ``paths`` are the tests to run if pytest's arguments name none.

    The measuring session writes all rounds to ``rounds``. ``gated`` are the names in gates; with ``strict`` each must
    be that of a benchmark even if the arguments choose tests. The other sessions run only the tests ``only`` and wait
    ``pause_s`` before the first. With ``memory``, each benchmark is traced into a file in that folder.
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

"""``environment.json``: the machine and versions of a run. Only runs of one fingerprint are compared."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

from harness.messages import Message
from harness.record.notice import Notice


class Environment(BaseModel):
    """The machine, the versions and the commits of a run.

    ``fingerprint`` is a short hash over what decides the speed: processor model, cores, memory, system, Python
    version, kind of target and number of workers. Commits are not part of it: they are what is compared.
    """

    model_config = ConfigDict(extra="forbid")

    fingerprint: str
    host: str
    processor: str
    cores: int
    memory_bytes: int
    system: str
    python: str
    versions: dict[str, str]
    """Packages that matter: harness, locust, gevent, py-spy, memray."""
    scenario_commit: str | None
    """Git commit of the scenario's checkout, followed by ``+`` if there were changes; None outside git."""
    target_commit: str | None
    target: str
    """The target, for people."""
    notes: list[str] = []
    """What makes figures of this machine doubtful (frequency scaling, other load, stolen time …)."""
    notices: list[Notice] = []
    """The notes again, each with its code and parameters."""

    @property
    def commit(self) -> str | None:
        """The commit that was measured: the target's, or the scenario's where the target is not in git."""
        return self.target_commit or self.scenario_commit

    @property
    def doubts(self) -> list[Message | str]:
        """The notes, with code and parameters if they were recorded."""
        return [notice.message() for notice in self.notices] or list(self.notes)

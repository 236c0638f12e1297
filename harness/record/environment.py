"""``environment.json``: on what a run was made. Runs of one fingerprint may be compared; others not."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Environment(BaseModel):
    """The machine, the versions and the commits of a run.

    ``fingerprint`` is a short hash over what decides the speed: processor model, cores, memory, system, Python
    version, kind of target and number of workers; not over commits, for those are what runs are compared by.
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
    """Git commit of the scenario's checkout, with ``+`` behind it where there were changes; None outside git."""
    target_commit: str | None
    target: str
    """What the target is, as a person reads it."""
    notes: list[str] = []
    """What makes this machine a doubtful one to measure on (frequency scaling, other load, no ptrace …)."""

"""The load of the harness without samplers, gates and reports."""

from __future__ import annotations

import atexit
import os
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import click
import psutil

from benchmarks.processes import on_core
from harness.control.load_processes import LoadProcesses
from harness.engine.fork_server import ForkServer
from harness.plan.model.phase import Phase, Segment
from harness.plan.model.run import ContractPlan, RunPlan
from harness.plan.model.sampling import Sampling, TraceSampling
from harness.plan.model.scenario import Scenario
from harness.plan.model.target import AttachedTarget, Variant
from harness.record.journal import Journal, JournalFollower, read_journal
from harness.record.run_folder import RunFolder
from harness.recording.run import RunRecording, read_run


def closed_phase(users: int, seconds: float, *, ramp: bool = False, name: str = "steady") -> Phase:
    """A closed phase with ``users`` for ``seconds``. With ``ramp``, their number grows over that time."""
    segment = Segment(start=0 if ramp else users, end=users, duration_s=seconds)
    return Phase(
        name=name,
        kind="ramp" if ramp else "steady",
        model="closed",
        segments=(segment,),
        description=f"{users} users for {seconds:g} s",
    )


def open_phase(rate: float, seconds: float, max_users: int) -> Phase:
    """An open phase with ``rate`` evenly spaced arrivals per second for ``seconds``."""
    return Phase(
        name="steady",
        kind="steady",
        model="open",
        segments=(Segment(start=rate, end=rate, duration_s=seconds),),
        max_users=max_users,
        description=f"{rate:g} arrivals/s for {seconds:g} s",
    )


def plan_of(
    phases: Sequence[Phase], scenario: Path, url: str, workers: int = 1, traces: TraceSampling | None = None
) -> RunPlan:
    """The plan of a load on ``url``, without samplers and gates."""
    return RunPlan(
        scenario=Scenario(path=str(scenario), name=scenario.stem, sha256="", user_classes=()),
        profile="benchmark",
        phases=tuple(phases),
        gates=(),
        sampling=Sampling(cpu=None, memory=None, traces=traces),
        targets=(Variant(target=AttachedTarget(url=url)),),
        workers=workers,
        seed=1,
    )


@cache
def fork_server(core: int) -> ForkServer:
    """One for all loads on a core: each that is started imports the engine, for 0.7 s of CPU."""
    with on_core(core):
        server = ForkServer()
    atexit.register(server.close)
    return server


class HarnessLoad:
    """The master and worker processes of ``harness run`` on one core, without samplers and gates.

    With ``master_core``, the master runs on that core instead.
    """

    def __init__(
        self,
        folder: Path,
        scenario: Path,
        phases: Sequence[Phase],
        url: str,
        core: int,
        *,
        master_core: int | None = None,
        traces: TraceSampling | None = None,
        contract: ContractPlan | None = None,
        settings: Mapping[str, Any] | None = None,
    ) -> None:
        """``settings`` of :mod:`harness.contracts.checker`, used if there is a ``contract``."""
        plan = plan_of(phases, scenario, url, traces=traces).model_copy(update={"contract": contract})
        self._folder = RunFolder.create(folder, "run")
        self._follower: JournalFollower | None = None
        self._folder.plan.write_text(plan.model_dump_json())
        self._fork_server = fork_server(core)
        self._load = LoadProcesses(self._fork_server, self._folder, plan)
        self._load.begin([url], contract=None if contract is None else settings)
        if master_core is not None:
            os.sched_setaffinity(self.pids()[0], {master_core})

    def pids(self) -> list[int]:
        """The process ids of the master, then of the workers."""
        return self._load.pids()

    def workers(self) -> list[psutil.Process]:
        return [psutil.Process(pid) for pid in self.pids()[1:]]

    def running(self) -> bool:
        return self._load.running

    def finish(self) -> None:
        """Do nothing: the load ends with its last phase."""

    def phases_started(self) -> int:
        """How many phases have begun."""
        path = self._folder.journal
        self._follower = self._follower or (JournalFollower(path) if path.is_file() else None)
        if self._follower is None:
            return 0
        self._follower.poll()
        return len(self._follower.journal.phases)

    def journal(self) -> Journal:
        """The journal. Raises :class:`click.ClickException` if the load did not finish."""
        journal = read_journal(self._folder.journal)
        if journal.end_reason != "done":
            raise click.ClickException(
                f"the load did not finish: {journal.end_reason}\n{self._folder.log.read_text()[-2000:]}"
            )
        return journal

    def recording(self) -> RunRecording:
        """The run folder as a recording, after the end."""
        return read_run(self._folder)

    def recorded(self) -> int:
        """How many requests were recorded."""
        return sum(row.requests for second in self.journal().seconds for row in second.endpoint_seconds)

    def end(self) -> None:
        """Stop whatever is still running."""
        if self.running():
            self._load.kill()
        self._load.end()
        self._fork_server.end_strays()

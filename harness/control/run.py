"""One run from plan to verdict: target, load, samplers, then judge and report. All that it starts, it ends."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass, replace
from pathlib import Path

from harness.cluster.bundle import collect
from harness.cluster.listen_address import ListenAddress, reached_from_outside
from harness.control.artifacts import artifact_location
from harness.control.interrupts import Interrupts
from harness.control.load_processes import LoadProcesses
from harness.control.observer import RunObserver
from harness.control.user_code import verify_target
from harness.gates.live import GateWatch
from harness.plan.model import RunPlan
from harness.record.environment import Environment
from harness.record.journal import Journal, JournalFollower
from harness.record.redaction import redacted
from harness.record.run_folder import RunFolder, new_run_id, write_json, write_text
from harness.record.running import marked_as_running
from harness.record.summary import Summary
from harness.sampling.session import SamplingSession
from harness.store import Store, open_store
from harness.targets.capture_environment import capture_environment
from harness.targets.machine import usable_cores
from harness.targets.start import Target, start_target

_POLL_S = 0.1


@dataclass(frozen=True)
class Outcome:
    """A run that has ended: its folder, its result, and whether a signal came after its target had been started."""

    folder: RunFolder
    summary: Summary
    interrupted: bool


def run(plan: RunPlan, *, out: Path, observer: RunObserver, listen_address: ListenAddress | None = None) -> Outcome:
    """Make the run folder below ``out``, run the plan, judge it, write the reports, put it into the store.

    ``listen_address`` is where workers of other machines come in; None where the plan has none.
    Raises :class:`HarnessError` where the run could not begin: the folder or the store cannot be used (exit code 2),
    the target is not there (exit code 4). A run that began always gives an outcome.
    """
    if plan.remote_workers:
        collect(plan.scenario.locustfiles, Path.cwd().resolve())  # what cannot be sent is told before anything starts
    copies = artifact_location()
    with open_store(None, out) as store:
        folder = RunFolder.create(out, new_run_id(plan.scenario.name, plan.profile))
        with marked_as_running(folder):
            shown = plan.redacted()
            write_text(folder.plan, shown.model_dump_json(indent=2) + "\n")
            environment = capture_environment(shown, Path(plan.scenario.path))
            write_json(folder.environment, environment.model_dump())
            outcome = _run_in(folder, plan, environment, store, observer, listen_address or ListenAddress())
            if copies is None:
                return outcome
            from harness.control.finalize import copy_run

            observer.say(f"copying the run folder to {copies}")
            return replace(outcome, summary=copy_run(folder, outcome.summary, copies))


def _run_in(
    folder: RunFolder,
    plan: RunPlan,
    environment: Environment,
    store: Store,
    observer: RunObserver,
    listen_address: ListenAddress,
) -> Outcome:
    observer.say("looking for the target" if plan.target.kind == "attached" else "starting the target")
    with (
        start_target(
            plan.target,
            folder,
            agent=plan.sampling.memory is not None,
            allowed_hosts=plan.allowed_hosts,
            secret_names=plan.secret_names,
        ) as target,
        Interrupts() as interrupts,
    ):
        observer.load_begins(plan.redacted(), folder, target.describe())
        journal = _put_load_on(target, folder, plan, interrupts, observer, listen_address)
        observer.load_ended()
        if plan.scenario.has_verify and target.is_alive() and journal.run_id and interrupts.count < 2:
            observer.say("checking the scenario's invariants")
            before = interrupts.count
            found = verify_target(plan.scenario.locustfiles, target.url, interrupted=lambda: interrupts.count > before)
            write_json(folder.verification, {**found, "message": redacted(found["message"])})
        target.stop()
        observer.say("judging and writing the report")
        # Here, because scipy, pyarrow and jinja2 take half a second: the load begins so much sooner.
        from harness.control.finalize import conclude

        summary = conclude(folder, plan, environment, store)
        return Outcome(folder, summary, interrupted=interrupts.count > 0)


def _put_load_on(
    target: Target,
    folder: RunFolder,
    plan: RunPlan,
    interrupts: Interrupts,
    observer: RunObserver,
    listen_address: ListenAddress,
) -> Journal:
    """The load from its first process to its last; the journal as it stands then."""
    follower = JournalFollower(folder.journal)
    url = (
        reached_from_outside(target.url, listen_address, managed=target.managed) if plan.remote_workers else target.url
    )
    with (
        LoadProcesses(folder, plan, url, listen_address) as load,
        # This process draws the live view and runs the samplers: it is part of what makes the load.
        SamplingSession(plan, target, folder, lambda: [os.getpid(), *load.pids()], cores=usable_cores()) as sampling,
    ):
        supervisor = RunSupervisor(plan, load, target, interrupts, observer, sampling)
        if plan.remote_workers:
            wanted = "one worker" if plan.remote_workers == 1 else f"{plan.remote_workers} workers"
            observer.say(f"waiting for {wanted} from other machines; type there:")
            observer.say(f"  {listen_address.command(load.port)}")
        # The last frame is the end, whatever a scenario has left behind that keeps its process from ending.
        while load.running and follower.journal.end_reason is None:
            for news in load.news():
                observer.say(news)
            follower.poll()
            supervisor.follow(follower.journal)
            time.sleep(_POLL_S)
        follower.poll()
        supervisor.follow(follower.journal)
    return follower.journal


class RunSupervisor:
    """Acts on what the journal and the surroundings tell while the load runs."""

    def __init__(
        self,
        plan: RunPlan,
        load: LoadProcesses,
        target: Target,
        interrupts: Interrupts,
        observer: RunObserver,
        sampling: SamplingSession,
    ) -> None:
        self._load = load
        self._target = target
        self._interrupts = interrupts
        self._observer = observer
        self._sampling = sampling
        self._begun = 0
        self._ended = 0
        self._events = 0
        self._gates = GateWatch(plan.redacted()) if plan.stop_early else None
        self._stopping = False
        self._pressed = 0

    def follow(self, journal: Journal) -> None:
        """Tell the samplers of phases, the watcher of everything; end the run where it must end."""
        for span in journal.phases[self._ended :]:
            if self._begun <= self._ended:
                self._begun += 1
                self._sampling.phase_started(span.phase)
            if span.end_s is None:
                break
            self._ended += 1
            self._sampling.phase_ended(span.phase)
        for event in journal.events[self._events :]:
            self._observer.say(event.message)
        self._events = len(journal.events)
        self._observer.update(journal)
        self._end_if_due(journal)

    def _end_if_due(self, journal: Journal) -> None:
        if self._interrupts.count > 2 and self._pressed < 3:
            self._observer.say("interrupted a third time: killing the load; what was recorded is kept")
            self._load.kill()
        elif self._interrupts.count == 2 and self._pressed < 2:
            self._observer.say("interrupted again: requests are cut off, and counted so")
            self._load.abort()
        self._pressed = self._interrupts.count
        if self._stopping:
            return
        if self._interrupts.count:
            self._stopping = True
            self._observer.say("interrupted: users finish what they are at (again: cut them off)")
            self._load.stop("interrupted")
        elif not self._target.is_alive():
            self._stopping = True
            self._observer.say(f"the target {self._target.exit_description()}: ending the run")
            self._load.stop("target lost")
        elif self._gates is not None:
            self._gates.update(journal)
            lost = self._gates.lost()
            if lost is not None:
                self._stopping = True
                self._observer.say(f"ending early: {lost}")
                self._load.stop("gate failed")

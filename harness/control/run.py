"""One run from plan to verdict: start target, load and samplers, follow them, judge, report, clean up."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING, NamedTuple

from harness import control, quick_start, steady_clock
from harness.cluster.bundle import collect
from harness.cluster.listen_address import ListenAddress, reached_from_outside
from harness.control.artifacts import artifact_location
from harness.control.clock import clock_notices
from harness.control.faults import Faults
from harness.control.feeding import Feeding
from harness.control.gate_noise import too_tight
from harness.control.hooks import Hooks
from harness.control.interrupts import Interrupts
from harness.control.load_processes import LoadProcesses
from harness.control.observer import RunObserver
from harness.control.proxies import Proxies, start_proxies
from harness.control.supervisor import EventNotifier, LoadStopper, MasterWatch, PhaseNotifier, RunSupervisor
from harness.control.traces import Traces, receive_traces
from harness.engine.fork_server import ForkServer
from harness.messages import Message, message
from harness.plan.duet import A, B
from harness.plan.model.run import RunPlan
from harness.record.environment import Environment
from harness.record.journal import Journal, JournalFollower
from harness.record.run_folder import RunFolder, marked_as_running, new_run_id, write_json, write_text
from harness.record.summary import Summary
from harness.sampling.session import SamplingSession
from harness.store import Store, open_store
from harness.targets.capture_environment import capture_environment
from harness.targets.machine import usable_cores
from harness.targets.start import start_target
from harness.targets.target import Target
from harness.targets.tracing import Tracing

if TYPE_CHECKING:
    from harness.gates.early_stop import EarlyStop


@dataclass(frozen=True)
class Outcome:
    """A finished run: its folder, its result, and whether it was interrupted after its target had started."""

    folder: RunFolder
    summary: Summary
    interrupted: bool


def run(
    plan: RunPlan,
    *,
    out: Path,
    observer: RunObserver,
    fork_server: ForkServer,
    listen_address: ListenAddress | None = None,
) -> Outcome:
    """Run the plan in a new folder below ``out``, judge the run, write its reports, record it in the store.

    ``listen_address`` is where workers of other machines join, if the plan has any.
    Raises :class:`HarnessError` if the run could not start: with exit code 2 if the folder or the store cannot be used,
    with 4 if the target is missing. A run that started always has an outcome.
    """
    if plan.remote_workers:
        collect(plan.scenario.locustfiles, Path.cwd().resolve())  # reports what cannot be sent before anything starts
    with Feeding(plan.scenario, plan.seed, fork_server, plan.hook_timeout_s) as feeding:
        scenario = plan.scenario.model_copy(update={"feeders": tuple(feeding.sources)})
        plan = plan.model_copy(update={"scenario": scenario})
        return _run(plan, feeding, out, observer, fork_server, listen_address)


def _run(
    plan: RunPlan,
    feeding: Feeding,
    out: Path,
    observer: RunObserver,
    fork_server: ForkServer,
    listen_address: ListenAddress | None,
) -> Outcome:
    copies = artifact_location()
    public = plan.redacted()  # to be written, shown and judged; only target and load get the plan with its secrets
    with open_store(None, out) as store:
        folder = RunFolder.create(out, new_run_id(plan.scenario.name, plan.profile))
        with marked_as_running(folder):
            try:
                write_text(folder.plan, public.model_dump_json(indent=2) + "\n")
                with ThreadPoolExecutor(1) as beside:
                    outcome = _run_in(
                        folder, plan, public, feeding, beside, store, observer, fork_server, listen_address
                    )
            except KeyboardInterrupt:
                if not folder.journal.exists():  # nothing was measured
                    shutil.rmtree(folder.path)
                raise
            if copies is None:
                return outcome
            observer.notify(message("run-copying", location=str(copies)))
            return replace(outcome, summary=control.finalize.copy_run(folder, outcome.summary, copies))


def _run_in(
    folder: RunFolder,
    plan: RunPlan,
    public: RunPlan,
    feeding: Feeding,
    beside: Executor,
    store: Store,
    observer: RunObserver,
    fork_server: ForkServer,
    listen_address: ListenAddress | None,
) -> Outcome:
    """``beside`` does what may take place while others start."""
    capturing = beside.submit(_captured_environment, public, folder)
    _announce(plan, capturing, store, observer)
    # While the others start, as imports during the load would disturb it, and after it keep the user waiting.
    importing = Thread(target=_import_what_judges, daemon=True)
    importing.start()
    with (
        receive_traces(plan, folder) as traces,
        LoadProcesses(fork_server, folder, plan, listen_address) as load,
        start_proxies(plan, folder.log, observer.notify) as proxies,
        Faults(plan, folder, observer.notify) as faults,
        _targets(plan, folder, traces.tracing, proxies) as targets,
        Interrupts() as interrupts,
        Hooks(
            plan, targets, load, faults, interrupts, observer.notify, fork_server, feeding.paths, folder.log
        ) as hooks,
    ):
        through = proxies.put_before([target.url for target in targets], plan)
        faults.reach(targets, proxies.places)
        observer.load_begins(public, folder, _described(plan, targets))
        target = targets[0]
        urls = [target.url for target in targets]
        if listen_address is not None:
            urls = [reached_from_outside(target.url, listen_address, managed=target.managed)]
        named = [(variant.name, target) for variant, target in zip(plan.targets, targets, strict=True)]
        sampling = SamplingSession(
            plan.phases,
            plan.sampling,
            named,
            folder,
            # This process is a part of the generator: it draws the live view and runs the samplers.
            lambda: [os.getpid(), *load.pids(), *proxies.pids()],
            cores=usable_cores(),
        )
        importing.join()
        environment = capturing.result()
        useless = [] if traces.are_received else sampling.useless_phases
        contract = None
        if plan.contract is not None:
            contract = control.contract.prepare(plan, targets[-1], folder, observer, lambda: interrupts.count > 0)
        hooks.set_up()
        steady_clock.follow_machine()
        load.begin(urls, lambda: interrupts.count > 0, useless, hooks.data, feeding.paths, through, contract)
        with sampling:
            if listen_address is not None:
                _invite_workers(plan.remote_workers, listen_address.command(load.port), observer)
            stopper = LoadStopper(load, observer, interrupts, named, faults, proxies, _early_stop(public, folder))
            journal = _followed(load, folder, sampling, observer, faults, stopper)
        warnings = _ended(
            _Started(load, targets, hooks, faults, proxies, traces, interrupts), journal, folder, observer
        )
        observer.notify(message("run-judging"))
        summary = control.finalize.conclude(folder, public, environment, store, warnings)
        return Outcome(folder, summary, interrupted=interrupts.count > 0)


def _announce(plan: RunPlan, capturing: Future[Environment], store: Store, observer: RunObserver) -> None:
    for name, where in plan.scenario.left_out.items():
        observer.notify(message("user-class-left-out", name=name, where=where))
    for warning in too_tight(plan, lambda: capturing.result().fingerprint, store):
        observer.notify(warning)
    observer.notify(message("target-looking" if plan.target.kind == "attached" else "target-starting"))


def _followed(
    load: LoadProcesses,
    folder: RunFolder,
    sampling: SamplingSession,
    observer: RunObserver,
    faults: Faults,
    stopper: LoadStopper,
) -> Journal:
    """The complete journal, once the load has ended; faults are then about to end."""
    journal = RunSupervisor(
        load,
        JournalFollower(folder.journal),
        PhaseNotifier(sampling),
        EventNotifier(load, observer),
        observer.update,
        MasterWatch(load, observer.notify),
        faults.follow,
        stopper,
        lambda _: faults.end() if stopper.stopping else None,
    ).run()
    faults.end()
    return journal


class _Started(NamedTuple):
    """What a run has started."""

    load: LoadProcesses
    targets: list[Target]
    hooks: Hooks
    faults: Faults
    proxies: Proxies
    traces: Traces
    interrupts: Interrupts


def _ended(started: _Started, journal: Journal, folder: RunFolder, observer: RunObserver) -> list[Message]:
    """End all that was started, in order, and verify the target before it stops; the warnings of the run."""
    load, targets, hooks, faults, proxies, traces, interrupts = started
    broke = load.master_end() if journal.end_reason is None and interrupts.count < 3 else None
    if broke is not None and not journal.run_id:
        raise load.not_started()
    load.end()
    observer.load_ended()
    if broke is not None:
        observer.notify(broke)
    faults.wait(lambda: interrupts.count > 2)
    # The target may be gone, or the user may not want to wait.
    if targets[-1].is_alive() and journal.run_id and interrupts.count <= 1:
        verification = hooks.verify()
        if verification is not None:
            write_json(folder.verification, verification.to_data())
    not_torn_down = hooks.tear_down()
    traces.finish()
    for target in targets:
        target.stop()
    lost = [] if journal.end_reason == "proxies lost" else proxies.notices()
    return [*clock_notices(), *traces.close(), *lost, *([] if broke is None else [broke]), *not_torn_down]


def _captured_environment(public: RunPlan, folder: RunFolder) -> Environment:
    environment = capture_environment(public, Path(public.scenario.path))
    write_json(folder.environment, environment.model_dump())
    return environment


def _early_stop(plan: RunPlan, folder: RunFolder) -> EarlyStop | None:
    if not plan.stop_early:
        return None
    from harness.gates.early_stop import early_stop  # only here: it brings scipy

    return early_stop(plan, folder)


@contextmanager
def _targets(plan: RunPlan, folder: RunFolder, tracing: Tracing | None, proxies: Proxies) -> Iterator[list[Target]]:
    """The targets of the plan, ready for load."""
    with ExitStack() as started:
        yield [
            started.enter_context(
                start_target(
                    proxies.with_addresses(variant.target),
                    folder,
                    variant=variant.name,
                    agent=plan.sampling.memory is not None or plan.sampling.cpu is not None,
                    faults=bool(plan.faults),
                    allowed_hosts=plan.allowed_hosts,
                    secret_names=plan.secret_names,
                    tracing=tracing,
                )
            )
            for variant in plan.targets
        ]


def _described(plan: RunPlan, targets: Sequence[Target]) -> str:
    """What the load goes to, for people; of a build's starts the first."""
    if not plan.is_duet:
        return targets[0].describe()
    return "; ".join(f"{name.upper()} is {target.describe()}" for name, target in zip((A, B), targets, strict=False))


def _import_what_judges() -> None:
    with suppress(MemoryError, ImportError):  # too little memory, say: raised where they are needed
        for module in ("harness.control.finalize", "harness.report.exporters"):
            quick_start.load(module)


def _invite_workers(count: int, command: str, observer: RunObserver) -> None:
    observer.notify(message("worker-awaited") if count == 1 else message("workers-awaited", count=count))
    observer.notify(message("worker-command", command=command))

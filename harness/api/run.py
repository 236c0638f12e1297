"""``harness.run(…)``: what ``harness run`` does, as a call."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, nullcontext
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING

from harness import control, quick_start
from harness.api.options import LoadOptions, RunOptions, several
from harness.api.python_call import python_call, taking
from harness.api.result import Run, RunInterrupted
from harness.cluster.listen_address import resolve_listen_address
from harness.engine.fork_server import ForkServer
from harness.messages import Message, Option, message
from harness.plan.phases import MEMORY_PASS
from harness.plan.problems import Problems
from harness.plan.profile import load_profile, load_project
from harness.plan.quick_run import QuickRun
from harness.plan.resolve import resolve
from harness.plan.target import TargetOptions

if TYPE_CHECKING:
    from harness.cluster.listen_address import ListenAddress
    from harness.control.observer import RunObserver
    from harness.plan.model.run import RunPlan
    from harness.plan.overrides import Override
    from harness.record.journal import Journal
    from harness.record.run_folder import RunFolder

logger = logging.getLogger("harness")


def run_scenario(options: RunOptions, fork_server: ForkServer | None = None) -> Run:
    """Run a scenario, judge the run, write its reports and record it in the store.

    The arguments are the options of ``harness run`` with the same names (see ``harness run --help``). Options that
    may be given several times take a string or a list. ``arguments`` are the scenario's own, after ``--``.

    ``set``: ``"KEY=VALUE"``, several of them, or ``{"phase.steady.duration": "30s", "sampling.memory": False}``. The
    values of a mapping are used as they are: a string stays a string, and may be a ``Path``; tables are dicts.
    ``phases``, ``gates``: the load and the requirements, as ``[harness.steady(users=5, hold="10s")]`` and
    ``[harness.gate("p95 < 200ms")]``. They replace the scenario's and the profile's. An empty list of gates requires
    nothing.
    ``watcher``: follows the run; ``harness.LineWatcher()`` prints lines to standard error. By default the logger
    ``harness`` gets them.
    ``turn``: a context manager, such as a lock, that is entered once the input is valid and left at the run's end.
    Loads on one machine disturb one another; let them take turns.

    The load runs in processes of its own: this process never imports Locust, gevent or the scenario. While the load
    runs, the first Ctrl-C (or SIGTERM) ends it gracefully, if the call comes from the main thread. Signal handlers are
    restored afterwards.

    Raises :class:`HarnessError` if the run could not start (wrong input, no target); a run that failed or broke is a
    result. Raises :class:`RunInterrupted` if it was interrupted after the load had started.
    """
    listen_address = resolve_listen_address(
        options.bind, options.expect_workers, None if options.secret_file is None else Path(options.secret_file)
    )
    return carry_out(lambda server: plan_of(options, server), options, fork_server, listen_address)


def carry_out(
    plan_with: Callable[[ForkServer], RunPlan],
    options: LoadOptions,
    fork_server: ForkServer | None = None,
    listen_address: ListenAddress | None = None,
) -> Run:
    """Make a plan and run it; the rest is as in :func:`run_scenario`."""
    with ExitStack() as around:
        server = around.enter_context(nullcontext(fork_server) if fork_server else ForkServer())
        plan = plan_with(server)
        if options.turn is not None:
            around.enter_context(options.turn)
        observer: RunObserver = options.watcher or _LogObserver()
        if plan.default_phases:
            observer.notify(
                message(
                    "default-load",
                    phases=[phase.description for phase in plan.phases if phase.kind != MEMORY_PASS],
                    users=Option("users"),
                    run_time=Option("run_time"),
                )
            )
        quick = _quick_run(options)
        if quick is not None and (notice := quick.notice(plan)) is not None:
            observer.notify(notice)
        if options.metrics_port is not None:
            metrics, url = around.enter_context(control.metrics.serve_metrics(str(options.metrics_port)))
            observer.notify(message("metrics-served", url=url))
            observer = control.observer.RunObservers(observer, metrics)
        outcome = control.run.run(
            plan, out=Path(options.out), observer=observer, fork_server=server, listen_address=listen_address
        )
    finished = Run(outcome.folder, outcome.summary)
    if outcome.interrupted:
        raise RunInterrupted(finished)
    return finished


run = python_call(taking(RunOptions, run_scenario, "run"))


def plan_of(options: RunOptions, fork_server: ForkServer) -> RunPlan:
    """The plan that ``options`` ask for. Raises :class:`HarnessError` with all problems of the input."""
    target = TargetOptions(
        host=options.host,
        pid=options.pid,
        command=options.target,
        ready=options.ready,
        allowed=several(options.allow_host),
    )
    expected = 1 if options.expect_workers is None else options.expect_workers
    return plans_of(options, fork_server, target, remote_workers=expected if options.bind else 0)[0]


def plans_of(
    options: LoadOptions, fork_server: ForkServer, *targets: TargetOptions, remote_workers: int = 0
) -> list[RunPlan]:
    """The plan that ``options`` ask for, with each of these targets."""
    scenario = str(options.scenario)
    arguments, tags, exclude_tags = several(options.arguments), several(options.tags), several(options.exclude_tags)
    profile = str(options.profile) if options.profile else None
    # While the fork server imports the engine, this process imports what runs the scenario.
    Thread(target=quick_start.load, args=("harness.control.run",), daemon=True).start()
    chosen = load_profile(profile, scenario=scenario.partition(",")[0]) if profile else None
    load_project(Path.cwd(), Problems())  # if it is not TOML: Locust reads it, too, and its error would name no file
    description = control.user_code.describe_scenario(
        scenario, arguments=arguments, tags=tags, exclude_tags=exclude_tags, fork_server=fork_server
    )
    return [
        resolve(
            description,
            profile=chosen,
            phases=options.phases,
            gates=options.gates,
            quick=_quick_run(options),
            overrides=_overrides(options.set),
            workers=options.workers,
            remote_workers=remote_workers,
            target=target,
            seed=options.seed,
            tags=tags,
            exclude_tags=exclude_tags,
            arguments=arguments,
            otlp=options.otlp,
        )
        for target in targets
    ]


def _quick_run(options: LoadOptions) -> QuickRun | None:
    """The load that options like Locust's ask for; None where they ask for none."""
    quick = QuickRun(options.users, options.spawn_rate, options.run_time)
    return None if quick == QuickRun() else quick


def _overrides(given: Mapping[str, object] | str | Sequence[str]) -> tuple[Override, ...]:
    return tuple(given.items()) if isinstance(given, Mapping) else several(given)


class _LogObserver:
    """The :class:`~harness.control.observer.RunObserver` of a program: writes to its log."""

    def notify(self, message: Message) -> None:
        logger.info("%s", message)

    def load_begins(self, plan: RunPlan, folder: RunFolder, target: str) -> None:
        logger.info("%s, profile %s, target: %s, in %s", plan.scenario.name, plan.profile, target, folder.path)

    def update(self, journal: Journal) -> None:
        """A log does not follow figures ten times a second."""

    def load_ended(self) -> None:
        """What follows comes as messages."""

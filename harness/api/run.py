"""``harness.run(…)``: what ``harness run`` does, as a call."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from harness.api.edge import at_the_edge
from harness.api.result import Run, RunInterrupted
from harness.plan.dsl import GateSpec, PhaseSpec

if TYPE_CHECKING:
    from harness.control.observer import RunObserver
    from harness.plan.model import RunPlan
    from harness.plan.overrides import Override
    from harness.record.journal import Journal
    from harness.record.run_folder import RunFolder

logger = logging.getLogger("harness")


@at_the_edge
def run(
    scenario: str | Path,
    arguments: str | Sequence[str] = (),
    *,
    profile: str | Path | None = None,
    set: Mapping[str, object] | str | Sequence[str] = (),
    phases: Sequence[PhaseSpec] | None = None,
    gates: Sequence[GateSpec] | None = None,
    workers: int | None = None,
    bind: str | None = None,
    expect_workers: int | None = None,
    secret_file: str | Path | None = None,
    metrics_port: int | str | None = None,
    host: str | None = None,
    allow_host: str | Sequence[str] = (),
    pid: int | None = None,
    target: str | None = None,
    ready: str | None = None,
    tags: str | Sequence[str] = (),
    exclude_tags: str | Sequence[str] = (),
    seed: int | None = None,
    out: str | Path = "reports",
    watcher: RunObserver | None = None,
    turn: AbstractContextManager[object] | None = None,
) -> Run:
    """Run ``scenario`` to its end, judge it, write its reports, put it into the store.

    The arguments are the options of ``harness run`` of the same name (``harness run --help``), and mean the same.
    Those that may be given several times take a text or a list. ``arguments`` are the scenario's own, behind ``--``.

    ``set``: ``"KEY=VALUE"``, several of them, or ``{"phase.steady.duration": "30s", "sampling.memory": False}``, whose
    values are taken as they are: a text stays a text, and may be a ``Path``; tables are dicts.
    ``phases``, ``gates``: what the scenario would state, as ``[harness.steady(users=5, hold="10s")]`` and
    ``[harness.gate("p95 < 200ms")]``; they come before the scenario's and the profile's. An empty list of gates
    requires nothing.
    ``watcher``: whom to tell how the run goes; ``harness.LineWatcher()`` writes lines to standard error. By default
    the logger ``harness`` hears what is worth a line.
    ``turn``: entered when the input has been checked, left when the run has ended: a lock, where loads on one machine
    wait for one another.

    The load runs in processes of its own: this one never imports Locust, gevent or the scenario. While it goes on, a
    signal (Ctrl-C) ends it in order, if this is the main thread; handlers of signals are left as they were.

    Raises :class:`HarnessError` where the run could not begin (wrong input, no target); a run that failed, or broke,
    is a result. :class:`RunInterrupted` where it was interrupted after the load had begun.
    """
    from harness.cluster.listen_address import resolve_listen_address
    from harness.control.user_code import describe_scenario
    from harness.plan.profile import load_profile
    from harness.plan.resolve import resolve
    from harness.plan.target import TargetOptions

    scenario = str(scenario)
    arguments, tags, exclude_tags = several(arguments), several(tags), several(exclude_tags)
    listen_address = resolve_listen_address(bind, expect_workers, None if secret_file is None else Path(secret_file))
    chosen = load_profile(str(profile), scenario=scenario.partition(",")[0]) if profile else None
    plan = resolve(
        describe_scenario(scenario, arguments=arguments, tags=tags, exclude_tags=exclude_tags),
        profile=chosen,
        phases=phases,
        gates=gates,
        overrides=_overrides(set),
        workers=workers,
        remote_workers=(1 if expect_workers is None else expect_workers) if bind else 0,
        target=TargetOptions(host=host, pid=pid, command=target, ready=ready, allowed=several(allow_host)),
        seed=seed,
        tags=tags,
        exclude_tags=exclude_tags,
        arguments=arguments,
    )

    with ExitStack() as around:
        if turn is not None:
            around.enter_context(turn)
        # Only now: a fault of scenario, profile or arguments is told before the store and the samplers are loaded.
        from harness.control.observer import RunObservers
        from harness.control.run import run as run_plan

        observer: RunObserver = watcher or _LogObserver()
        if metrics_port is not None:
            from harness.control.metrics import serve_metrics

            metrics, url = around.enter_context(serve_metrics(str(metrics_port)))
            observer.say(f"metrics at {url}")
            observer = RunObservers(observer, metrics)
        outcome = run_plan(plan, out=Path(out), observer=observer, listen_address=listen_address)
    finished = Run(outcome.folder, outcome.summary)
    if outcome.interrupted:
        raise RunInterrupted(finished)
    return finished


class _LogObserver:
    """The :class:`~harness.control.observer.RunObserver` of a program: what is worth a line goes to its log."""

    def say(self, message: str) -> None:
        logger.info("%s", message)

    def load_begins(self, plan: RunPlan, folder: RunFolder, target: str) -> None:
        logger.info("%s, profile %s, target: %s, in %s", plan.scenario.name, plan.profile, target, folder.path)

    def update(self, journal: Journal) -> None:
        """A log is no place for ten figures a second."""

    def load_ended(self) -> None:
        """What follows is told by :meth:`say`."""


def several(given: str | Iterable[str]) -> tuple[str, ...]:
    """What may be given several times, given as a text or as many."""
    return (given,) if isinstance(given, str) else tuple(given)


def _overrides(given: Mapping[str, object] | str | Sequence[str]) -> tuple[Override, ...]:
    return tuple(given.items()) if isinstance(given, Mapping) else several(given)

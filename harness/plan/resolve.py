"""Makes a ``RunPlan`` of scenario, profile, overrides and options; reports all problems at once."""

from __future__ import annotations

import os
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.messages import Option
from harness.plan.compose import compose
from harness.plan.config_source import ConfigSource, from_call, shown_path
from harness.plan.description import ScenarioDescription
from harness.plan.dsl import GateSpec, PhaseSpec, plain
from harness.plan.expression import parse_requirement
from harness.plan.gating import read_gates, stated_faults
from harness.plan.hosts import LOCAL, AllowedHosts, host_of
from harness.plan.metrics_tables import keeping, read_sources
from harness.plan.model.fault import PlannedFault, PlannedProxy
from harness.plan.model.phase import Phase
from harness.plan.model.run import ContractPlan, Gate, RunPlan
from harness.plan.model.sampling import CpuSampling, MemorySampling, MetricsSource, Sampling, TraceSampling
from harness.plan.model.scenario import Scenario
from harness.plan.model.target import AttachedTarget, PlannedTarget, Variant
from harness.plan.overrides import Override, as_text
from harness.plan.phases.diagnose import diagnose
from harness.plan.problems import Problems
from harness.plan.profile import Profile, Project, load_project
from harness.plan.quick_run import QuickRun
from harness.plan.resolve_phases import phase_names, resolve_phases
from harness.plan.settings import MOST_WORKERS, Settings, TargetTable
from harness.plan.target import SHOP, TargetOptions, choose_target
from harness.plan.utf8 import require_utf8
from harness.plan.validation_errors import checked
from harness.record.redaction import add_secret_names

_DEFAULT_GATE = Gate(comparison=parse_requirement("error_rate < 1%"), default=True)
_SEEDS = 2**63
"""The master sends the seed to the workers as a number of 64 bits with a sign."""


def resolve(
    description: ScenarioDescription,
    *,
    profile: Profile | None = None,
    phases: Sequence[PhaseSpec] | None = None,
    gates: Sequence[GateSpec] | None = None,
    quick: QuickRun | None = None,
    overrides: Sequence[Override] = (),
    workers: int | None = None,
    remote_workers: int = 0,
    target: TargetOptions = TargetOptions(),  # noqa: B008  (frozen)
    seed: int | None = None,
    tags: Sequence[str] = (),
    exclude_tags: Sequence[str] = (),
    arguments: Sequence[str] = (),
    otlp: str | None = None,
) -> RunPlan:
    """The plan of a run, checked.

    What is nearer to the user wins: options, then overrides (``--set``), then ``phases`` and ``gates`` (stated in
    a call of ``harness.run``; None: not stated) or the load of a ``quick`` run, then the profile, then the scenario. A
    profile's phases replace the scenario's, and so do its gates and its faults. A profile without gates keeps the
    scenario's; ``gate = []`` drops them. A gate or a fault in a phase that the profile does not have is a problem and
    never dropped: a verdict must not pass because a requirement got lost. Where no gates are stated at all, the run has
    a default one.

    The default is one worker less than there are cores, or none where workers join from other machines, and a random
    seed. From now on this process knows the user's own names of secrets. Raises ``ManyProblemsError``.
    """
    problems = Problems()
    call = _stated_load(phases, gates, quick, description, profile, problems)
    if quick is not None and _is_led_by_shape(description, profile) and description.shape_reads_options:
        arguments = (*arguments, *quick.arguments())
    stated = compose(description, profile, call, overrides, problems)
    source = stated.source
    names = phase_names(source, problems)
    resolved = resolve_phases(source, names, description, problems)
    project = load_project(Path.cwd(), problems)
    metrics = _metrics(project.metrics, read_sources(source, source.data.get("metrics"), problems))
    contract = _contract(project, source, problems)
    kinds = dict(zip(names, (table.get("kind") for table in source.data["phase"]), strict=True))
    known_faults = stated_faults(source, names)
    required = read_gates(source, kinds, problems, metrics, description.known_figures, known_faults)
    if not required and not stated.has_gates:
        required = [_DEFAULT_GATE]
    settings = checked(Settings, source.data, (), source, problems) or Settings(target=TargetTable(command=SHOP))
    if not description.user_classes:
        problems.add("scenario-without-users", where=shown_path(description.path))
    _check_numbers(workers, remote_workers, seed, settings.seed, source, problems)
    allowed = project.allowed_hosts(target.allowed, problems, settings.allowed_hosts)
    chosen = choose_target(target, settings.target, description, allowed, source, problems)
    faults = _faults(project, settings, source, names, resolved, chosen, remote_workers, problems)
    making = _local_workers(workers, settings.workers, remote_workers)
    _check_rate_limits(chosen, allowed, resolved, making + remote_workers, source, problems)
    problems.raise_if_any()
    secret_names = tuple(dict.fromkeys((*project.guard_rails.secret_names, *settings.secret_names)))
    add_secret_names(secret_names)

    sampling = _sampling(settings, source, quick, metrics, required, otlp)
    memory = sampling.memory
    if memory is not None and chosen.kind != "attached" and (extra := diagnose(resolved, memory.duration_s)):
        resolved = [*resolved, extra]
    plan = RunPlan(
        scenario=Scenario.model_validate(description.model_dump(include=set(Scenario.model_fields))),
        profile=profile.name if profile else "default",
        profile_given=profile.given if profile else None,
        phases=tuple(resolved),
        default_phases=not stated.has_phases and not description.has_shape,
        gates=tuple(required),
        faults=faults.planned,
        allowed_faults=faults.allowed if faults.planned else (),
        proxies=faults.proxies,
        sampling=sampling,
        contract=contract,
        targets=(Variant(target=chosen),),
        allowed_hosts=allowed.all(),
        secret_names=secret_names,
        workers=making,
        remote_workers=remote_workers,
        seed=next((given for given in (seed, settings.seed) if given is not None), secrets.randbits(31)),
        stop_early=settings.stop_early,
        stop_timeout_s=settings.stop_timeout,
        hook_timeout_s=settings.hook_timeout,
        tags=tuple(tags),
        exclude_tags=tuple(exclude_tags),
        arguments=tuple(arguments),
        overrides=tuple(map(as_text, overrides)),
    )
    return require_utf8(plan)


def _stated_load(
    phases: Sequence[PhaseSpec] | None,
    gates: Sequence[GateSpec] | None,
    quick: QuickRun | None,
    description: ScenarioDescription,
    profile: Profile | None,
    problems: Problems,
) -> ConfigSource:
    """The phases and gates of a call of ``harness.run``, and the phases of a quick run."""
    call = from_call(plain(phases), plain(gates), problems)
    if quick is None:
        return call
    if phases is not None:
        problems.add("load-given-twice", where=Option("users"))
    elif _is_led_by_shape(description, profile):
        call.take(quick.of_shape(problems), ("phase",))
    else:
        call.take(quick.phases(problems), ("phase",))
    return call


def _is_led_by_shape(description: ScenarioDescription, profile: Profile | None) -> bool:
    """Whether the scenario's ``LoadTestShape`` sets the users, because no phases are given."""
    return description.has_shape and description.phases is None and profile is None


def _check_numbers(
    workers: int | None,
    remote_workers: int,
    seed: int | None,
    seed_of_profile: int | None,
    source: ConfigSource,
    problems: Problems,
) -> None:
    fewest = 0 if remote_workers else 1
    for count, least, option in ((workers, fewest, "workers"), (remote_workers, 0, "expect_workers")):
        if count is not None and not least <= count <= MOST_WORKERS:
            problems.add("workers-out-of-range", where=Option(option), count=count, least=least, most=MOST_WORKERS)
    for number, where in ((seed, Option("seed")), (seed_of_profile, source.where(("seed",)))):
        if number is not None and not -_SEEDS <= number < _SEEDS:
            problems.add("seed-out-of-range", where=where)


@dataclass(frozen=True)
class _Faults:
    planned: tuple[PlannedFault, ...] = ()
    proxies: tuple[PlannedProxy, ...] = ()
    allowed: tuple[str, ...] = ()


def _faults(
    project: Project,
    settings: Settings,
    source: ConfigSource,
    names: Sequence[str],
    phases: Sequence[Phase],
    target: PlannedTarget,
    remote_workers: int,
    problems: Problems,
) -> _Faults:
    """The faults, what they may touch, and the proxies that they act on."""
    if not source.data["fault"] and source.data.get("proxies") is None:
        return _Faults()
    from harness.plan.faults import read_faults  # only here: few plans have any
    from harness.plan.proxies import read_proxies, used_proxies

    allowed = tuple(dict.fromkeys((*project.guard_rails.allowed_faults, *settings.allowed_faults)))
    planned = read_faults(source, names, phases, allowed, problems)
    known = (*project.proxies, *read_proxies(source, source.data.get("proxies"), problems))
    proxies = used_proxies(known, target, source, allowed, problems, remote_workers=remote_workers)
    return _Faults(tuple(planned), proxies, allowed)


def _sampling(
    settings: Settings,
    source: ConfigSource,
    quick: QuickRun | None,
    metrics: Sequence[MetricsSource],
    gates: Sequence[Gate],
    otlp: str | None,
) -> Sampling:
    """What is sampled beside the load. A quick run takes the time that the user gave: it has no memory pass."""
    stated = settings.sampling
    memory = stated.memory if quick is None or "memory" in source.data.get("sampling", {}) else None
    return Sampling(
        cpu=CpuSampling(**dict(stated.cpu)) if stated.cpu else None,
        memory=MemorySampling(duration_s=memory.duration) if memory else None,
        traces=_traces(settings.target, otlp),
        metrics=keeping(metrics, [gate.comparison.series for gate in gates if gate.comparison.series]),
    )


def _traces(table: TargetTable, listen: str | None) -> TraceSampling | None:
    """Spans are received if the user asks for traces or gives an address for them."""
    if not table.traces and listen is None:
        return None
    return TraceSampling(instrument=table.traces, listen=listen, url=table.trace_url)


def _metrics(of_project: Sequence[MetricsSource], of_profile: Sequence[MetricsSource]) -> tuple[MetricsSource, ...]:
    """A profile's source replaces the project's of that name."""
    return tuple({source.name: source for source in (*of_project, *of_profile)}.values())


def _contract(project: Project, source: ConfigSource, problems: Problems) -> ContractPlan | None:
    """The profile's or the scenario's; else the project's."""
    stated = source.data.get("contract")
    if stated is None and project.contract is None:
        return None
    from harness.plan.contract import read_contract  # only here: most runs have none

    if stated is None and project.contract is not None:
        origin, value, folder = project.contract
        return read_contract(origin, value, folder, problems)
    return read_contract(source, stated, Path.cwd(), problems)


def _check_rate_limits(
    target: PlannedTarget,
    allowed: AllowedHosts,
    phases: Sequence[Phase],
    workers: int,
    source: ConfigSource,
    problems: Problems,
) -> None:
    """Reject more arrivals (each is at least one request) or more workers than a host's rate limit allows."""
    host = host_of(target.url) if isinstance(target, AttachedTarget) else LOCAL
    most = allowed.max_rate(host)
    for entry in allowed.all():
        if entry.max_rate is not None and entry.max_rate < workers:
            problems.add(
                "rate-limit-below-workers",
                where="max_rate",
                host=entry.host,
                max_rate=entry.max_rate,
                option=Option("workers", entry.max_rate),
            )
    for index, phase in enumerate(phases):
        peak = max((max(part.start, part.end) for part in phase.segments), default=0.0)
        if phase.model == "open" and most is not None and peak > most:
            problems.add(
                "phase-above-rate-limit",
                where=source.where(("phase", index, "rate")),
                rate=peak,
                max_rate=most,
                host=host,
            )


def _local_workers(asked: int | None, of_profile: int | None, remote: int) -> int:
    """Where others join, this machine runs the master and perhaps the target, so it generates load only when asked."""
    if asked is not None:
        return asked
    return 0 if remote else of_profile or max(1, len(os.sched_getaffinity(0)) - 1)

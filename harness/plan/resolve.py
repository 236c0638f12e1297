"""Makes a ``RunPlan`` of scenario, profile, overrides and options; reports every problem of them at once."""

from __future__ import annotations

import os
import secrets
from collections.abc import Sequence
from pathlib import Path

from harness.messages import Option
from harness.plan.config_source import (
    MOST_TABLES,
    ConfigSource,
    default_phases,
    from_call,
    from_scenario,
    shown_path,
)
from harness.plan.description import ScenarioDescription
from harness.plan.dsl import GateSpec, PhaseSpec, plain
from harness.plan.expression import parse_requirement
from harness.plan.gating import read_gates
from harness.plan.hosts import LOCAL, AllowedHosts, host_of
from harness.plan.metrics_tables import keeping, read_sources
from harness.plan.model import (
    AttachedTarget,
    CpuSampling,
    Gate,
    MemorySampling,
    MetricsSource,
    Phase,
    RunPlan,
    Sampling,
    Scenario,
    Target,
    TraceSampling,
    Variant,
)
from harness.plan.overrides import Override, apply_override, as_text
from harness.plan.phases.diagnose import diagnose
from harness.plan.problems import Problems
from harness.plan.profile import Profile, load_project
from harness.plan.quick_run import QuickRun
from harness.plan.resolve_phases import phase_names, resolve_phases
from harness.plan.settings import MOST_WORKERS, GuardRails, Settings, TargetTable
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
    profile's phases replace the scenario's, and so do its gates. A profile without gates keeps the scenario's;
    ``gate = []`` drops them. A gate on a phase that the profile does not have is a problem and never dropped: a verdict
    must not pass because a requirement got lost. Where no gates are stated at all, the run has a default one.

    The default is one worker less than there are cores, or none where workers join from other machines, and a random
    seed. From now on this process knows the user's own names of secrets. Raises ``ManyProblemsError``.
    """
    problems = Problems()
    stated = from_call(plain(phases), plain(gates), problems)
    if quick is not None and phases is not None:
        problems.add("load-given-twice", where=Option("users"))
    elif quick is not None and description.has_shape and description.phases is None and profile is None:
        stated.take(quick.of_shape(problems), ("phase",))
        arguments = (*arguments, *quick.arguments()) if description.shape_reads_options else arguments
    elif quick is not None:
        stated.take(quick.phases(problems), ("phase",))
    source = _compose(description, profile, stated, problems)
    uses_defaults = {key: source.data.get(key) is None for key in ("phase", "gate")}
    if uses_defaults["phase"]:
        source.take(default_phases(has_shape=description.has_shape), ("phase",))
    _require_tables(source, problems)
    for override in overrides:
        apply_override(override, source, phase_names(source, Problems()), list(Settings.model_fields), problems)
    names = phase_names(source, problems)
    resolved = resolve_phases(source, names, description, problems)
    kinds = dict(zip(names, (table.get("kind") for table in source.data["phase"]), strict=True))
    project = load_project(Path.cwd(), problems)
    metrics = _metrics(project.metrics, read_sources(source, (), source.data.get("metrics"), problems))
    required = read_gates(source, kinds, problems, metrics) or [_DEFAULT_GATE] * uses_defaults["gate"]
    settings = checked(Settings, source.data, (), source, problems) or Settings(target=TargetTable(command=SHOP))
    if not description.user_classes:
        problems.add("scenario-without-users", where=shown_path(description.path))
    fewest = 0 if remote_workers else 1
    for count, least, where in (
        (workers, fewest, Option("workers")),
        (remote_workers, 0, Option("expect_workers")),
    ):
        if count is not None and not least <= count <= MOST_WORKERS:
            problems.add("workers-out-of-range", where=where, count=count, least=least, most=MOST_WORKERS)
    for number, origin in ((seed, Option("seed")), (settings.seed, source.where(("seed",)))):
        if number is not None and not -_SEEDS <= number < _SEEDS:
            problems.add("seed-out-of-range", where=origin)
    on_command_line = ConfigSource({"allowed_hosts": target.allowed}, {(): Option("allow_host")})
    guard_rails = checked(GuardRails, on_command_line.data, (), on_command_line, problems) or GuardRails()
    allowed = AllowedHosts(project.guard_rails.allowed_hosts, settings.allowed_hosts, guard_rails.allowed_hosts)
    chosen = choose_target(target, settings.target, description, allowed, source, problems)
    making = _local_workers(workers, settings.workers, remote_workers)
    _check_rate_limits(chosen, allowed, resolved, making + remote_workers, source, problems)
    problems.raise_if_any()
    secret_names = tuple(dict.fromkeys((*project.guard_rails.secret_names, *settings.secret_names)))
    add_secret_names(secret_names)

    # A quick run takes the time that the user gave.
    stated_sampling = source.data.get("sampling", {})
    memory = settings.sampling.memory if quick is None or "memory" in stated_sampling else None
    if memory is not None and chosen.kind != "attached":
        extra = diagnose(resolved, memory.duration)
        resolved = [*resolved, *([extra] if extra else [])]
    plan = RunPlan(
        scenario=Scenario.model_validate(description.model_dump(include=set(Scenario.model_fields))),
        profile=profile.name if profile else "default",
        phases=tuple(resolved),
        default_phases=uses_defaults["phase"] and not description.has_shape,
        gates=tuple(required),
        sampling=Sampling(
            cpu=CpuSampling(rate_hz=settings.sampling.cpu.rate_hz) if settings.sampling.cpu else None,
            memory=MemorySampling(duration_s=memory.duration) if memory else None,
            traces=_traces(settings.target, otlp),
            metrics=keeping(metrics, [gate.comparison.series for gate in required if gate.comparison.series]),
        ),
        targets=(Variant(target=chosen),),
        allowed_hosts=allowed.all(),
        secret_names=secret_names,
        workers=making,
        remote_workers=remote_workers,
        seed=next((given for given in (seed, settings.seed) if given is not None), secrets.randbits(31)),
        stop_early=settings.stop_early,
        stop_timeout_s=settings.stop_timeout,
        tags=tuple(tags),
        exclude_tags=tuple(exclude_tags),
        arguments=tuple(arguments),
        overrides=tuple(map(as_text, overrides)),
    )
    return require_utf8(plan)


def _traces(table: TargetTable, listen: str | None) -> TraceSampling | None:
    """Spans are received if the user asks for traces, or says where to receive them."""
    if not table.traces and listen is None:
        return None
    return TraceSampling(instrument=table.traces, listen=listen, url=table.trace_url)


def _metrics(of_project: Sequence[MetricsSource], of_profile: Sequence[MetricsSource]) -> tuple[MetricsSource, ...]:
    """A profile's source replaces the project's of that name."""
    return tuple({source.name: source for source in (*of_project, *of_profile)}.values())


def _check_rate_limits(
    target: Target,
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


def _compose(
    description: ScenarioDescription, profile: Profile | None, stated: ConfigSource, problems: Problems
) -> ConfigSource:
    """Scenario, profile and what a call stated, in one tree."""
    source = from_scenario(description, problems)
    for layer in (source, profile.source if profile is not None else ConfigSource()):
        target = layer.data.get("target")
        if isinstance(target, str):
            layer.data["target"] = {"url" if "://" in target else "command": target}
    if profile is not None:
        for key, value in profile.source.data.items():
            if _completes(source.data.get(key), value) and key in ("sampling", "target"):
                for below in value:
                    source.take(profile.source, (key, below))
            else:
                source.take(profile.source, (key,))
    for key in stated.data:
        source.take(stated, (key,))
    return source


def _require_tables(source: ConfigSource, problems: Problems) -> None:
    for key in ("phase", "gate"):
        value = source.data.setdefault(key, [])
        if not isinstance(value, list) or not all(isinstance(table, dict) for table in value):
            problems.add("not-a-list-of-tables", where=source.where((key,)), key=key)
            source.data[key] = []
        elif len(value) > MOST_TABLES:
            problems.add("too-many-tables", where=source.where((key,)), key=key, count=len(value), most=MOST_TABLES)
            source.data[key] = []


def _completes(value: object, later: object) -> bool:
    """Whether ``later`` changes keys of the table ``value``. A table that names another target replaces it."""
    return isinstance(value, dict) and isinstance(later, dict) and not {"url", "command"} & later.keys()

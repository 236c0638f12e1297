"""Scenario, profile, overrides and options made into a ``RunPlan``; every fault of them is told at once."""

from __future__ import annotations

import os
import re
import secrets
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from harness.plan.config_source import ConfigSource, KeyPath, default_phases, from_call, from_scenario, shown_path
from harness.plan.description import ScenarioDescription
from harness.plan.dsl import GateSpec, PhaseSpec, plain
from harness.plan.gating import read_gates
from harness.plan.hosts import LOCAL, AllowedHosts, host_of, parse_host
from harness.plan.model import (
    AllowedHost,
    AttachedTarget,
    CpuSampling,
    MemorySampling,
    Phase,
    RunPlan,
    Sampling,
    Scenario,
    Target,
)
from harness.plan.overrides import Override, apply_override, as_text
from harness.plan.phases import KINDS, NO_LOAD, PhaseConfig, diagnose
from harness.plan.phases.diagnose import NAME as DIAGNOSE
from harness.plan.problems import InvalidValue, Problems, listed, quoted, suggestion
from harness.plan.profile import Profile
from harness.plan.project import load_project
from harness.plan.settings import MOST_WORKERS, Settings
from harness.plan.target import TargetOptions, choose_target
from harness.plan.validation_errors import checked
from harness.record.redaction import add_secret_names

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]*")
_KIND_SYNONYMS = {
    "constant": "steady", "soak": "steady", "load": "steady", "hold": "steady", "warm-up": "ramp", "warmup": "ramp",
    "step": "stress", "steps": "stress", "burst": "spike", "peak": "spike", "sleep": "pause", "wait": "pause",
}  # fmt: skip


def resolve(
    description: ScenarioDescription,
    *,
    profile: Profile | None = None,
    phases: Sequence[PhaseSpec] | None = None,
    gates: Sequence[GateSpec] | None = None,
    overrides: Sequence[Override] = (),
    workers: int | None = None,
    remote_workers: int = 0,
    target: TargetOptions = TargetOptions(),  # noqa: B008  (frozen)
    seed: int | None = None,
    tags: Sequence[str] = (),
    exclude_tags: Sequence[str] = (),
    arguments: Sequence[str] = (),
) -> RunPlan:
    """The plan of a run, checked.

    What is nearer to the user wins: options, then overrides (``--set``), then ``phases`` and ``gates`` (stated in
    a call of ``harness.run``; None: not stated), then the profile, then the scenario. A profile's phases replace the
    scenario's, and so do its gates. A profile without gates leaves the scenario's, and one that names a phase which
    the profile has not is a fault rather than dropped: a verdict must not pass because a requirement got lost.
    ``gate = []`` in a profile says that there are none.

    By default there is a worker a core less one, where none join from elsewhere, and a random seed. From now on this
    process knows the user's own names of secrets.
    Raises ``ManyProblemsError`` with all faults.
    """
    problems = Problems()
    stated = from_call(plain(phases), plain(gates), problems)
    source = _compose(description, profile, stated, problems)
    for override in overrides:
        apply_override(override, source, _phase_names(source, Problems()), list(Settings.model_fields), problems)
    names = _phase_names(source, problems)
    resolved = _phases(source, names, description, problems)
    kinds = dict(zip(names, (table.get("kind") for table in source.data["phase"]), strict=True))
    required = read_gates(source, kinds, problems)
    settings = _settings(source, problems)
    project = load_project(Path.cwd(), problems)
    if not description.user_classes:
        problems.add(
            "has no user class",
            where=shown_path(description.file),
            hint="write a class that derives from harness.HttpUser or a Locust user, with at least one @task",
        )
    fewest = 0 if remote_workers else 1
    for count, least, where in (
        (workers, fewest, "--workers"),
        (remote_workers, 0, "--expect-workers"),
    ):
        if count is not None and not least <= count <= MOST_WORKERS:
            problems.add(
                f"{count} is not a number of workers",
                where=where,
                hint=f"give at least {least}, at most {MOST_WORKERS:,}",
            )
    allowed = AllowedHosts(
        project.allowed_hosts, settings.allowed_hosts, _allowed_on_command_line(target.allowed, problems)
    )
    chosen = choose_target(target, settings.target, description, allowed, source, problems)
    making = _local_workers(workers, settings.workers, remote_workers)
    _check_rate_limits(chosen, allowed, resolved, making + remote_workers, source, problems)
    problems.raise_if_any()
    secret_names = tuple(dict.fromkeys((*project.secret_names, *settings.secret_names)))
    add_secret_names(secret_names)

    memory = settings.sampling.memory
    if memory is not None and chosen.kind != "attached":
        extra = diagnose(resolved, memory.duration)
        resolved = [*resolved, *([extra] if extra else [])]
    return RunPlan(
        scenario=Scenario(
            path=description.file,
            files=description.files,
            name=description.name,
            sha256=description.sha256,
            user_classes=description.user_classes,
            has_verify=description.has_verify,
            has_shape=description.has_shape,
        ),
        profile=profile.name if profile else "default",
        phases=tuple(resolved),
        gates=tuple(required),
        sampling=Sampling(
            cpu=CpuSampling(rate_hz=settings.sampling.cpu.rate_hz) if settings.sampling.cpu else None,
            memory=MemorySampling(duration_s=memory.duration) if memory else None,
        ),
        target=chosen,
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


def _allowed_on_command_line(names: Sequence[str], problems: Problems) -> list[AllowedHost]:
    """What ``--allow-host`` names."""
    found = []
    for name in names:
        try:
            found.append(AllowedHost.model_validate(parse_host(name)))
        except InvalidValue as error:
            problems.add(error.message, where="--allow-host", hint=error.hint)
    return found


def _check_rate_limits(
    target: Target,
    allowed: AllowedHosts,
    phases: Sequence[Phase],
    workers: int,
    source: ConfigSource,
    problems: Problems,
) -> None:
    """What asks for more than a host's ceiling: more arrivals (each is one request at least), or more workers."""
    host = host_of(target.url) if isinstance(target, AttachedTarget) else LOCAL
    most = allowed.max_rate(host)
    for entry in allowed.all():
        if entry.max_rate is not None and entry.max_rate < workers:
            problems.add(
                f"{entry.host} takes {entry.max_rate:,} requests a second, fewer than there are load workers",
                where="max_rate",
                hint=f"give --workers {entry.max_rate}",
            )
    for index, phase in enumerate(phases):
        peak = max((max(part.start, part.end) for part in phase.segments), default=0.0)
        if phase.model == "open" and most is not None and peak > most:
            problems.add(
                f"{peak:,.0f} arrivals/s are more than {host} is allowed: its max_rate is {most:,} requests/s",
                where=source.where(("phase", index, "rate")),
                hint=f"ask for {most:,}/s at most, or raise max_rate in allowed_hosts",
            )


def _local_workers(asked: int | None, of_profile: int | None, remote: int) -> int:
    """Where others join, this machine is the master's and perhaps the target's: it makes load only when told to."""
    if asked is not None:
        return asked
    return 0 if remote else of_profile or max(1, len(os.sched_getaffinity(0)) - 1)


def _compose(
    description: ScenarioDescription, profile: Profile | None, stated: ConfigSource, problems: Problems
) -> ConfigSource:
    """Scenario, profile and what was stated besides in one tree, its phases and gates lists of tables."""
    source = from_scenario(description, problems)
    if profile is not None:
        for key, value in profile.source.data.items():
            if key == "sampling" and isinstance(value, dict) and isinstance(source.data.get(key), dict):
                for below in value:
                    source.take(profile.source, (key, below))
            else:
                source.take(profile.source, (key,))
    for key in stated.data:
        source.take(stated, (key,))
    if source.data.get("phase") is None:
        source.take(default_phases(has_shape=description.has_shape), ("phase",))
    for key in ("phase", "gate"):
        value = source.data.setdefault(key, [])
        if not isinstance(value, list) or not all(isinstance(table, dict) for table in value):
            problems.add(
                f"{key} is not a list of tables",
                where=source.where((key,)),
                hint=f"head each with [[{key}]], in two brackets",
            )
            source.data[key] = []
    return source


def _phase_names(source: ConfigSource, problems: Problems) -> list[str]:
    """Each phase's name: its own, else its kind, with a number from the second on. Bad names are told."""
    names: list[str] = []
    locations: dict[str, str] = {}
    for index, table in enumerate(source.data["phase"]):
        name, where = table.get("name"), source.where(("phase", index, "name"))
        if name is None:
            names.append("")
            continue
        if not isinstance(name, str) or not _NAME.fullmatch(name):
            likely = re.sub(r"[^A-Za-z0-9_]+", "-", str(name)).strip("-")
            fits = f'did you mean "{likely}"? ' if _NAME.fullmatch(likely) else ""
            problems.add(
                f"{quoted(name)} is not a name",
                where=where,
                hint=f"{fits}a name is a letter, then letters, digits, - and _",
            )
        elif name == DIAGNOSE:
            problems.add(
                f'"{DIAGNOSE}" is the memory pass that the harness adds', where=where, hint="take another name"
            )
        elif name in locations:
            problems.add(f'two phases are named "{name}"', where=where, hint=f"the other is at {locations[name]}")
        names.append(str(name))
        locations.setdefault(str(name), where)
    for index, table in enumerate(source.data["phase"]):
        if not names[index]:
            kind = str(table.get("kind", "phase"))
            tries = [kind, *(f"{kind}-{number}" for number in range(2, len(names) + 2))]
            names[index] = next(name for name in tries if name not in names)
    return names


def _phases(
    source: ConfigSource, names: list[str], description: ScenarioDescription, problems: Problems
) -> list[Phase]:
    tables = source.data["phase"]
    if not tables and not len(problems):
        problems.add("there is no phase", where=source.where(("phase",)), hint='such as steady(users=50, hold="30s")')
    configs = [_phase_config(source, index, name, description, problems) for index, name in enumerate(names)]
    phases: list[Phase] = []
    level = NO_LOAD
    for index, config in enumerate(configs):
        if config is None:
            break  # the levels of those that follow are not known; their own keys are checked already
        try:
            phases.append(config.resolve(level))
        except InvalidValue as error:
            path: KeyPath = ("phase", index, error.key) if error.key else ("phase", index)
            problems.add(error.message, where=source.where(path), hint=error.hint)
            break
        level = config.level_after(phases[-1])
    return phases


def _phase_config(
    source: ConfigSource, index: int, name: str, description: ScenarioDescription, problems: Problems
) -> PhaseConfig | None:
    """The checked keys of one phase; None where there are faults, which are told."""
    table: dict[str, Any] = {**source.data["phase"][index], "name": name}
    path = ("phase", index)
    kind = table.pop("kind", None)
    if not isinstance(kind, str) or kind not in KINDS:
        message = f"unknown kind {quoted(kind)}" if kind is not None else '"kind" is missing'
        problems.add(message, where=source.where((*path, "kind")), hint=suggestion(str(kind), KINDS, _KIND_SYNONYMS))
        return None
    before = len(problems)
    if kind == "shape" and not description.has_shape:
        problems.add(
            "the scenario has no LoadTestShape",
            where=source.where((*path, "kind")),
            hint=f"write one, or take another kind: {listed(other for other in KINDS if other != kind)}",
        )
    model = KINDS[kind]
    for problem in model.problems_between_keys(table):
        where = source.where((*path, problem.key) if problem.key else path)
        problems.add(problem.message, where=where, hint=problem.hint)
    config = checked(model, table, path, source, problems)
    return config if len(problems) == before else None


def _settings(source: ConfigSource, problems: Problems) -> Settings:
    """The rest of the keys; the defaults where there are faults, which are told."""
    return checked(Settings, source.data, (), source, problems) or Settings()

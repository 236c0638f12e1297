"""How to repeat the run, what was planned, and on which machine it ran."""

from __future__ import annotations

import shlex
from typing import Any

from harness.plan.bench import BenchPlan
from harness.plan.hosts import LOCAL
from harness.plan.model.run import RunPlan
from harness.plan.model.target import AttachedTarget, CommandTarget, ShopTarget
from harness.plan.target import SHOP
from harness.record.environment import Environment
from harness.record.figures import Lag
from harness.record.generator import Generator
from harness.record.summary import Summary
from harness.recording.bench import BenchRecording
from harness.recording.run import RunRecording
from harness.report.contents import Report, Section
from harness.report.formatting import duration, ms, number, percent, size

_Pairs = list[tuple[str, str]]


class About(Section):
    id = "about"
    title = "About this run"
    template = "about.html"

    def values(self, report: Report) -> dict[str, Any]:
        columns: dict[str, _Pairs] = {}
        if run := report.run:
            columns["Scenario"] = _scenario(run, report.summary)
            columns["Load generator"] = _generator(report.summary.generator, run)
        if suite := report.suite:
            columns["Suite"] = _suite(suite, report.summary)
        if environment := report.recording.environment:
            columns["Environment"] = _environment(environment)
        return {
            "command": command_line(run.plan) if run else bench_command(suite.plan) if suite else "",
            "plan": run.plan if run else None,
            "columns": columns,
            "notes": environment.notes if environment else [],
            "events": run.journal.events if run else [],
        }


def command_line(plan: RunPlan) -> str:
    """The command that repeats ``plan``, with the same random choices."""
    parts = ["harness", "run", ",".join(plan.scenario.locustfiles)]
    if (profile := plan.profile_given or plan.profile) != "default":
        parts += ["--profile", profile]
    for override in plan.overrides:
        parts += ["--set", override]
    if plan.remote_workers:
        parts += ["--bind", "0.0.0.0", "--expect-workers", str(plan.remote_workers)]
    parts += ["--workers", str(plan.workers), "--seed", str(plan.seed)]
    parts += [word for entry in plan.allowed_hosts if entry.host != LOCAL for word in ("--allow-host", entry.host)]
    match plan.target:
        case AttachedTarget(url=url, pid=pid, own_hosts=own_hosts):
            parts += ([] if own_hosts else ["--host", url]) + (["--pid", str(pid)] if pid is not None else [])
        case ShopTarget():
            parts += ["--target", SHOP]
        case CommandTarget(command=command, ready_path=ready_path):
            parts += ["--target", command, "--ready", ready_path]
    parts += [word for tag in plan.tags for word in ("--tags", tag)]
    parts += [word for tag in plan.exclude_tags for word in ("--exclude-tags", tag)]
    if plan.arguments:
        parts += ["--", *plan.arguments]
    return shlex.join(parts)


def bench_command(plan: BenchPlan) -> str:
    """The command that repeats the suite under the same gates. Gates of the project need no option."""
    parts = ["harness", "bench", *plan.arguments]
    parts += [word for gate in plan.gates if plan.strict for word in ("--gate", gate.source)]
    parts += ["--profile"] if plan.profile else []
    parts += ["--memory"] if plan.memory else []
    return shlex.join(parts)


def _scenario(run: RunRecording, summary: Summary) -> _Pairs:
    plan = run.plan
    cpu, memory = plan.sampling.cpu, plan.sampling.memory
    remote = f" here, {plan.remote_workers} on other machines" if plan.remote_workers else ""
    return [
        ("File", plan.scenario.path),
        *(
            (user.name, ", ".join(f"{task} {percent(share)}" for task, share in user.tasks.items()))
            for user in plan.scenario.user_classes
        ),
        ("Seed", str(plan.seed)),
        ("Workers", f"{plan.workers}{remote}"),
        ("CPU sampling", f"at most {cpu.rate_hz} samples/s" if cpu else "off"),
        ("Memory sampling", f"{duration(memory.duration_s)} after the measured phases" if memory else "off"),
        ("Run", summary.run_id),
    ]


def _generator(generator: Generator, run: RunRecording) -> _Pairs:
    pairs = [
        ("Kept up", "no, it was the bottleneck" if generator.saturated else "yes"),
        ("CPU of the busiest worker", f"{percent(generator.cpu_max)} of one core in its busiest second"),
        ("Event loop lag", _percentiles(generator.lag_ms)),
        (
            "CPU taken from a worker",
            f"{percent(generator.starved_max)} by other processes, {percent(generator.throttled_max)} by a CPU quota, "
            f"{percent(generator.stolen_max)} by the hypervisor, each in its worst second",
        ),
        ("Late arrivals", number(generator.late)),
        ("Dropped arrivals", number(generator.dropped)),
    ]
    if generator.own_lateness_ms.p50 is not None:
        pairs.append(("Delay caused by the generator", _percentiles(generator.own_lateness_ms)))
    if generator.clock_ms is not None and run.plan.remote_workers:
        clocks = (f"{one.worker} on {one.host} {one.offset:+.2f} ± {ms(one.bound)}" for one in generator.clocks)
        pairs.append(("Workers' clocks", f"within {ms(generator.clock_ms)} of the master's: {', '.join(clocks)}"))
    return pairs


def _percentiles(lag: Lag) -> str:
    return f"P50 {ms(lag.p50)}, P99 {ms(lag.p99)}, max {ms(lag.max)}"


def _suite(suite: BenchRecording, summary: Summary) -> _Pairs:
    plan = suite.plan
    pairs = [
        ("Project", plan.suite),
        ("Folder", str(plan.folder)),
        ("pytest arguments", " ".join(plan.arguments) or "none"),
    ]
    if plan.paths:
        pairs.append(("Default paths", " ".join(plan.paths)))
    return [*pairs, ("Run", summary.run_id)]


def _environment(environment: Environment) -> _Pairs:
    machine = f"{environment.processor}, {environment.cores} cores, {size(environment.memory_bytes)}"
    return [
        ("Target", environment.target),
        ("Machine", f"{environment.host}: {machine}"),
        ("System", environment.system),
        ("Python", environment.python),
        ("Versions", ", ".join(f"{name} {version}" for name, version in environment.versions.items())),
        ("Scenario commit", environment.scenario_commit or "not in git"),
        ("Target commit", environment.target_commit or "not in git"),
        ("Fingerprint", environment.fingerprint),
    ]

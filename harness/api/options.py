"""The options of runs and benches, declared once for the command line, Python and pytest."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import KW_ONLY, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from harness.control.observer import RunObserver
    from harness.plan.dsl import GateSpec, PhaseSpec


def _option(default: Any, help: str, **details: Any) -> Any:
    """A field that the command line takes, too; ``details`` are for ``click.option``, ``short`` is its letter."""
    return field(default=default, metadata={"help": help, **details})


def _out() -> Any:
    return _option("reports", "The folder that holds the run folders.", type=Path, metavar="DIRECTORY")


@dataclass(frozen=True)
class LoadOptions:
    """What :func:`harness.run` and :func:`harness.duet` take. ``None`` and empty mean: not given.

    Options that may be given several times take a string or a sequence of strings.
    """

    scenario: str | Path
    arguments: str | Sequence[str] = ()
    """The scenario's own, which the command line takes after ``--``."""
    _: KW_ONLY
    profile: str | Path | None = _option(
        None, "The load and the gates: a profile in profiles/, or a TOML file.", metavar="NAME|FILE"
    )
    set: Mapping[str, object] | str | Sequence[str] = _option(
        (), "Change one value of the plan, such as phase.steady.users=50.", metavar="KEY=VALUE", multiple=True
    )
    users: int | None = _option(
        None, "A quick run, as in Locust: the number of users. Replaces all other phases.", short="-u", type=int
    )
    spawn_rate: float | None = _option(
        None, "A quick run: users to start per second. Default: 1.", short="-r", type=float
    )
    run_time: str | float | None = _option(
        None, "A quick run: its length, such as 30s or 1h30m, including the start of users.", short="-t", type=str
    )
    phases: Sequence[PhaseSpec] | None = None
    gates: Sequence[GateSpec] | None = None
    workers: int | None = _option(
        None, "Load workers on this machine. Default: one per core, minus one.", type=int, metavar="N"
    )
    metrics_port: int | str | None = _option(
        None,
        "Serve live Prometheus metrics on this port, by default on loopback.",
        metavar="[ADDR:]PORT",
        envvar="HARNESS_METRICS_PORT",
    )
    otlp: str | None = _option(
        None, "Trace requests: receive the target's OpenTelemetry spans at this address.", metavar="ADDR[:PORT]"
    )
    allow_host: str | Sequence[str] = _option(
        (), "Allow load on this host, besides this machine.", metavar="NAME", multiple=True
    )
    ready: str | None = _option(
        None, "The target is ready when GET PATH returns 2xx. Default: /health.", metavar="PATH"
    )
    tags: str | Sequence[str] = _option((), "Run only tasks with one of these Locust tags.", short="-T", multiple=True)
    exclude_tags: str | Sequence[str] = _option(
        (), "Skip tasks with one of these Locust tags.", short="-E", multiple=True
    )
    seed: int | None = _option(
        None, "Random seed. Runs with the same seed and plan make the same choices.", type=int, metavar="N"
    )
    out: str | Path = _out()
    watcher: RunObserver | None = None
    turn: AbstractContextManager[object] | None = None


@dataclass(frozen=True)
class RunOptions(LoadOptions):
    """What :func:`harness.run` takes besides: one target, and workers of other machines."""

    _: KW_ONLY
    bind: str | None = _option(
        None, "Accept workers from other machines at this address; --workers defaults to 0.", metavar="ADDR[:PORT]"
    )
    expect_workers: int | None = _option(
        None, "With --bind: how many workers to wait for. Default: 1.", type=int, metavar="N"
    )
    secret_file: str | Path | None = _option(
        None, "A file with the secret that workers join with. Default: HARNESS_SECRET.", type=Path, metavar="FILE"
    )
    host: str | None = _option(
        None, "The URL of a target that is already running. Default: HARNESS_HOST.", short="-H", metavar="URL"
    )
    pid: int | None = _option(
        None, "The target's process ID, to profile it. Only with --host.", type=int, metavar="PID"
    )
    target: str | None = _option(
        None, "A command that starts the target on port {port}, or shop for the embedded shop.", metavar="CMD"
    )


@dataclass(frozen=True)
class DuetOptions(LoadOptions):
    """What :func:`harness.duet` takes besides: two builds."""

    _: KW_ONLY
    a: str | None = _option(None, "The command that starts build A on port {port}.", metavar="CMD")
    b: str | None = _option(None, "The command that starts build B on port {port}.", metavar="CMD")
    a_url: str | None = _option(None, "The URL of build A, if it is already running.", metavar="URL")
    b_url: str | None = _option(None, "The URL of build B, if it is already running.", metavar="URL")
    base: str | None = _option(
        None,
        "Compare two commits of the project in this folder: A is REF, B is HEAD, each in a git worktree.",
        metavar="REF",
    )
    target: str | None = _option(
        None,
        "With --base: the command that starts either build on port {port}, in its worktree. Default: the profile's.",
        metavar="CMD",
    )
    uncommitted: bool = _option(False, "With --base: build B includes uncommitted changes.")
    side_by_side: bool = _option(
        False, "Open model: send each arrival to both builds at the same moment, instead of in turns."
    )
    stop_early: bool = _option(
        False, "Stop as soon as all gates against build A are decided; phases then last at most as long as planned."
    )
    starts: int = _option(
        1, "How many times to start each build (1 to 8), because no two starts are alike.", type=int, metavar="N"
    )


@dataclass(frozen=True)
class BenchOptions:
    """What :func:`harness.bench` takes."""

    arguments: str | Path | Sequence[str | Path] = ()
    """Arguments for pytest."""
    _: KW_ONLY
    gate: str | Sequence[str] = _option(
        (), "A requirement, such as 'bench(\"test_x\").mean < 2ms'.", metavar="GATE", multiple=True
    )
    gates: str | Path | None = _option(None, "A TOML file of [[gate]] tables.", type=Path, metavar="FILE")
    profile: bool = _option(False, "Run the slowest benchmarks again under py-spy, for flame graphs.")
    memory: bool = _option(False, "Call each benchmark again under memray, for peak memory and allocations.")
    out: str | Path = _out()
    hear: Callable[[str], object] = lambda _: None


def several(given: str | Path | Iterable[str | Path]) -> tuple[str, ...]:
    """The values of an option that may be given several times, from one string or many; paths become strings."""
    return tuple(map(str, (given,) if isinstance(given, str | Path) else given))

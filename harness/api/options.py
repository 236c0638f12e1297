"""The options of a run and of a benchmark suite, declared once for the command line, Python and pytest."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import KW_ONLY, dataclass, field, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from harness.control.observer import RunObserver
    from harness.plan.dsl import GateSpec, PhaseSpec

Value = Literal["text", "number", "file", "folder", "switch"]
_COMMAND_LINE = "command line"


@dataclass(frozen=True, kw_only=True)
class CommandLineOption:
    """How the command line takes an option."""

    name: str
    default: object
    help: str
    value: Value = "text"
    metavar: str | None = None
    short: str | None = None
    several: bool = False
    at_least: int | None = None
    variable: str | None = None
    """The environment variable that gives a default."""


def command_line_options(options: type) -> Iterator[CommandLineOption]:
    """Those of the fields of :class:`RunOptions` or :class:`BenchOptions` that the command line takes."""
    for declared in fields(options):
        if _COMMAND_LINE in declared.metadata:
            yield CommandLineOption(name=declared.name, default=declared.default, **declared.metadata[_COMMAND_LINE])


def _option(help: str, **details: Any) -> dict[str, Any]:
    return {_COMMAND_LINE: {"help": help, **details}}


_OUT = _option("The folder that holds the run folders.", value="folder", metavar="DIRECTORY")


@dataclass(frozen=True)
class RunOptions:
    """What :func:`harness.run` takes. ``None`` and empty mean: not given.

    Options that may be given several times take a text or a sequence of texts.
    """

    scenario: str | Path
    arguments: str | Sequence[str] = ()
    """The scenario's own, which the command line takes after ``--``."""
    _: KW_ONLY
    profile: str | Path | None = field(
        default=None,
        metadata=_option("The load and the gates: a profile in profiles/, or a TOML file.", metavar="NAME|FILE"),
    )
    set: Mapping[str, object] | str | Sequence[str] = field(
        default=(),
        metadata=_option(
            "Change one value of the plan, such as phase.steady.users=50.", metavar="KEY=VALUE", several=True
        ),
    )
    phases: Sequence[PhaseSpec] | None = None
    gates: Sequence[GateSpec] | None = None
    workers: int | None = field(
        default=None,
        metadata=_option(
            "Load workers on this machine. Default: one per core, less one for the rest.", value="number", metavar="N"
        ),
    )
    bind: str | None = field(
        default=None,
        metadata=_option(
            "Accept workers from other machines at this address; --workers defaults to 0.", metavar="ADDR[:PORT]"
        ),
    )
    expect_workers: int | None = field(
        default=None,
        metadata=_option("With --bind: how many workers to wait for. Default: 1.", value="number", metavar="N"),
    )
    secret_file: str | Path | None = field(
        default=None,
        metadata=_option(
            "A file with the secret that workers join with. Default: HARNESS_SECRET.", value="file", metavar="FILE"
        ),
    )
    metrics_port: int | str | None = field(
        default=None,
        metadata=_option(
            "Serve live Prometheus metrics on this port, by default on loopback.",
            metavar="[ADDR:]PORT",
            variable="HARNESS_METRICS_PORT",
        ),
    )
    host: str | None = field(
        default=None,
        metadata=_option("The URL of a target that is already running. Default: HARNESS_HOST.", metavar="URL"),
    )
    allow_host: str | Sequence[str] = field(
        default=(),
        metadata=_option("Allow load on this host, besides this machine.", metavar="NAME", several=True),
    )
    pid: int | None = field(
        default=None,
        metadata=_option(
            "The target's process ID, to profile it. Only with --host.", value="number", at_least=1, metavar="PID"
        ),
    )
    target: str | None = field(
        default=None,
        metadata=_option("A command that starts the target on port {port}. Default: the embedded shop.", metavar="CMD"),
    )
    ready: str | None = field(
        default=None,
        metadata=_option("The target is ready when GET PATH returns 2xx. Default: /health.", metavar="PATH"),
    )
    tags: str | Sequence[str] = field(
        default=(), metadata=_option("Run only tasks with one of these Locust tags.", short="-T", several=True)
    )
    exclude_tags: str | Sequence[str] = field(
        default=(), metadata=_option("Skip tasks with one of these Locust tags.", short="-E", several=True)
    )
    seed: int | None = field(
        default=None,
        metadata=_option(
            "Random seed. Runs with the same seed and plan make the same choices.", value="number", metavar="N"
        ),
    )
    out: str | Path = field(default="reports", metadata=_OUT)
    watcher: RunObserver | None = None
    turn: AbstractContextManager[object] | None = None


@dataclass(frozen=True)
class BenchOptions:
    """What :func:`harness.bench` takes."""

    arguments: str | Path | Sequence[str | Path] = ()
    """Arguments for pytest."""
    _: KW_ONLY
    gate: str | Sequence[str] = field(
        default=(),
        metadata=_option("A requirement, such as 'bench(\"test_x\").mean < 2ms'.", metavar="GATE", several=True),
    )
    gates: str | Path | None = field(
        default=None, metadata=_option("A TOML file of [[gate]] tables.", value="file", metavar="FILE")
    )
    profile: bool = field(
        default=False,
        metadata=_option("Run the slowest benchmarks again under py-spy, for flame graphs.", value="switch"),
    )
    memory: bool = field(
        default=False,
        metadata=_option("Call each benchmark again under memray, for peak memory and allocations.", value="switch"),
    )
    out: str | Path = field(default="reports", metadata=_OUT)
    hear: Callable[[str], object] = lambda _: None


def several(given: str | Iterable[str]) -> tuple[str, ...]:
    """An option that may be given several times, given as one text or as many."""
    return (given,) if isinstance(given, str) else tuple(given)

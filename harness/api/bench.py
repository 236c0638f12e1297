"""``harness.bench(…)``: what ``harness bench`` does, as a call."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from harness.api.edge import at_the_edge
from harness.api.result import Run, RunInterrupted
from harness.errors import HarnessError


@at_the_edge
def bench(
    arguments: str | Path | Sequence[str | Path] = (),
    *,
    gate: str | Sequence[str] = (),
    gates: str | Path | None = None,
    profile: bool = False,
    memory: bool = False,
    out: str | Path = "reports",
    hear: Callable[[str], object] = lambda _: None,
) -> Run:
    """Run a suite of pytest-benchmark in the working folder, judge it, write its reports, put it into the store.

    ``arguments`` are handed to pytest: ``"benchmarks/micro"``, or ``["benchmarks/micro", "-k", "search"]``; without a
    path, those of ``[tool.harness.bench]`` in pyproject.toml. ``gate`` is what must hold, as
    ``'bench("test_search").mean < 2ms'``, one or several, and ``gates`` a TOML file of them; without either, the
    project's hold. With ``profile`` the slowest are run again under py-spy, with ``memory`` each under memray.
    ``hear`` is given what pytest says, line by line, redacted and harmless to a terminal; ``harness.log`` in the run's
    folder has it anyway. What it raises is raised when the bench has ended.

    The result has ``verdict``, ``gates`` and ``benchmarks``, a DataFrame with a row per benchmark, and no phases. The
    benchmarks run in a process of their own; a signal (Ctrl-C) ends it in order, if this is the main thread.

    Raises :class:`HarnessError` where nothing could be measured: no such benchmark, a file that cannot be imported,
    pytest-benchmark not installed. :class:`RunInterrupted` where it was interrupted; ``run`` is what was measured. A
    plain ``KeyboardInterrupt`` where there was nothing yet.
    """
    given = _texts("arguments", arguments, 'give pytest\'s in texts, as ["benchmarks/micro", "-k", "search"].')
    required = _texts("gate", gate, "give texts, as 'bench(\"test_search\").mean < 2ms', one or several.")
    _need("gates", gates, gates is None or isinstance(gates, str | Path), "name a TOML file; gates in texts are gate=.")
    _need("profile", profile, isinstance(profile, bool), "True has the slowest run under py-spy, too; else False.")
    _need("memory", memory, isinstance(memory, bool), "True has each run under memray, too; else False.")
    _need("out", out, isinstance(out, str | Path), 'name the folder of run folders, as "reports".')
    _need("hear", hear, callable(hear), "give a function of one text, as sys.stderr.write.")
    from harness.plan.bench_resolve import resolve_bench

    plan = resolve_bench(
        given,
        gates=required,
        gates_file=None if gates is None else Path(gates),
        profile=profile,
        memory=memory,
    )

    # Only now: a fault of the gates is told before the store is loaded.
    from harness.control import bench as control

    outcome = control.bench(plan, out=Path(out), hear=hear)
    finished = Run(outcome.folder, outcome.summary)
    if finished.verdict.interrupted:
        raise RunInterrupted(finished)
    return finished


def _texts(name: str, given: str | Path | Sequence[str | Path], right: str) -> tuple[str, ...]:
    """One or several, all of them texts or paths."""
    several = (given,) if isinstance(given, str | Path) else given
    _need(name, given, isinstance(several, Iterable), right)
    texts = tuple(several)
    _need(name, given, all(isinstance(text, str | Path) for text in texts), right)
    return tuple(map(str, texts))


def _need(name: str, given: object, fits: bool, right: str) -> None:
    if not fits:
        raise HarnessError(f"{given!r} is of no use here", where=f"{name}=", hint=right)

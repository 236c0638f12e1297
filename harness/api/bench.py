"""``harness.bench(…)``: what ``harness bench`` does, as a call."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from harness.api.edge import at_the_edge
from harness.api.result import Run, RunInterrupted
from harness.api.run import several


@at_the_edge
def bench(
    arguments: str | Sequence[str] = (),
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
    ``hear`` is given what pytest says, line by line and masked; ``harness.log`` in the run's folder has it anyway.

    The result has ``verdict``, ``gates`` and ``benchmarks``, a DataFrame with a row per benchmark, and no phases. The
    benchmarks run in a process of their own; a signal (Ctrl-C) ends it in order, if this is the main thread.

    Raises :class:`HarnessError` where nothing could be measured: no such benchmark, a file that cannot be imported,
    pytest-benchmark not installed. :class:`RunInterrupted` where it was interrupted; ``run`` is what was measured.
    """
    from harness.plan.bench_resolve import resolve_bench

    plan = resolve_bench(
        several(arguments),
        gates=several(gate),
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

"""``harness.bench(…)``: what ``harness bench`` does, as a call."""

from __future__ import annotations

from pathlib import Path

from harness import control
from harness.api.options import BenchOptions, several
from harness.api.python_call import python_call, taking
from harness.api.result import Run, RunInterrupted
from harness.plan.bench_resolve import resolve_bench


def run_benchmarks(options: BenchOptions) -> Run:
    """Run a pytest-benchmark suite in the working folder, judge it, write its reports and record it in the store.

    ``arguments`` are for pytest: ``"benchmarks/micro"``, or ``["benchmarks/micro", "-k", "search"]``. Without a path,
    those of ``[tool.harness.bench]`` in pyproject.toml are used. ``gate`` is a requirement such as
    ``'bench("test_search").mean < 2ms'``, or several; ``gates`` is a TOML file of them. Without either, the project's
    gates apply. ``profile`` runs the slowest benchmarks again under py-spy, ``memory`` each of them under memray.
    ``hear`` gets pytest's output line by line, without secrets and terminal escapes; the run folder's ``harness.log``
    has it anyway. If ``hear`` raises, the exception is raised again once the bench has ended.

    The result has ``verdict``, ``gates`` and ``benchmarks``, a DataFrame with a row per benchmark, and no phases. The
    benchmarks run in a process of their own. Ctrl-C or SIGTERM ends it gracefully, if the call comes from the main
    thread.

    Raises :class:`HarnessError` if nothing could be measured: no such benchmark, a file that cannot be imported,
    pytest-benchmark not installed. Raises :class:`RunInterrupted` if it was interrupted; its ``run`` is what was
    measured until then. Before the first benchmark, that is a plain ``KeyboardInterrupt``.
    """
    plan = resolve_bench(
        several(options.arguments),
        gates=several(options.gate),
        gates_file=None if options.gates is None else Path(options.gates),
        profile=options.profile,
        memory=options.memory,
    )
    finished = Run(*control.bench.bench(plan, out=Path(options.out), on_output=options.hear))
    if finished.verdict.interrupted:
        raise RunInterrupted(finished)
    return finished


bench = python_call(taking(BenchOptions, run_benchmarks, "bench"))

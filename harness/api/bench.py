"""``harness.bench(…)``: what ``harness bench`` does, as a call."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from harness import control
from harness.api.options import BenchOptions
from harness.api.python_call import python_call, taking
from harness.api.result import Run, RunInterrupted
from harness.errors import HarnessError
from harness.messages import Option
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
    benchmarks run in a process of their own; Ctrl-C or SIGTERM ends it in order if the call comes from the main thread.

    Raises :class:`HarnessError` if nothing could be measured: no such benchmark, a file that cannot be imported,
    pytest-benchmark not installed. Raises :class:`RunInterrupted` if it was interrupted; its ``run`` is what was
    measured until then. Before the first benchmark, that is a plain ``KeyboardInterrupt``.
    """
    arguments, required = _texts("arguments", options.arguments), _texts("gate", options.gate)
    _need("gates", options.gates, options.gates is None or isinstance(options.gates, str | Path), "str, Path or None")
    _need("profile", options.profile, isinstance(options.profile, bool), "bool")
    _need("memory", options.memory, isinstance(options.memory, bool), "bool")
    _need("out", options.out, isinstance(options.out, str | Path), "str or Path")
    _need("hear", options.hear, callable(options.hear), "a function of one str, such as sys.stderr.write")
    plan = resolve_bench(
        arguments,
        gates=required,
        gates_file=None if options.gates is None else Path(options.gates),
        profile=options.profile,
        memory=options.memory,
    )
    finished = Run(*control.bench.bench(plan, out=Path(options.out), on_output=options.hear))
    if finished.verdict.interrupted:
        raise RunInterrupted(finished)
    return finished


bench = python_call(taking(BenchOptions, run_benchmarks, "bench"))


def _texts(name: str, given: str | Path | Sequence[str | Path]) -> tuple[str, ...]:
    """One text or several; paths count as texts."""
    several = (given,) if isinstance(given, str | Path) else given
    _need(name, given, isinstance(several, Iterable), "str or a list of str")
    texts = tuple(several)
    _need(name, given, all(isinstance(text, str | Path) for text in texts), "str or a list of str")
    return tuple(map(str, texts))


def _need(name: str, given: object, fits: bool, expected: str) -> None:
    if not fits:
        raise HarnessError("argument-wrong-type", where=Option(name), expected=expected, given=given)

"""Judge a run folder again: by its own gates, by others, or by those of a profile."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from harness import control
from harness.api.options import several
from harness.errors import HarnessError
from harness.messages import Option
from harness.plan.bench_resolve import requested_bench_gates
from harness.plan.gating import requested_gates
from harness.plan.model.run import RunPlan
from harness.record.run_folder import RunFolder, read_model
from harness.record.summary import Summary


def judge_folder(
    folder: RunFolder,
    require: str | Sequence[str],
    *,
    phase: str | None,
    endpoint: str | None,
    profile: str | Path | None,
) -> Summary:
    """Judge the run in ``folder`` again and write its results and reports anew.

    It is judged by ``require`` (``"p95 < 300ms"``) for ``phase`` and ``endpoint``, or by the gates of ``profile``;
    without either, by its own. Raises :class:`HarnessError` if these contradict each other.
    """
    required = several(require)
    if folder.is_bench:
        return _judge_bench(folder, required, phase=phase, endpoint=endpoint, profile=profile)
    if profile is not None and required:
        raise HarnessError("judge-gates-twice", require=Option("require"), profile=Option("profile"))
    if (phase or endpoint) and not required:
        raise HarnessError(
            "judge-nothing-required",
            where=Option("phase" if phase else "endpoint"),
            require=Option("require", "p95 < 300ms"),
        )
    chosen = None if profile is None else str(profile)
    plan = read_model(folder.plan, RunPlan)
    gates = requested_gates(plan, require=required, phase=phase, endpoint=endpoint, profile=chosen)
    return control.finalize.judge_again(folder, gates)


def _judge_bench(folder: RunFolder, require: Sequence[str], **others: object) -> Summary:
    for name, value in others.items():
        if value is not None:
            raise HarnessError(
                "judge-not-of-a-bench", where=Option(name), require=Option("require", 'bench("test_search").mean < 2ms')
            )
    gates = requested_bench_gates(require, None, option=Option("require"))
    return control.finalize.judge_again(folder, gates)

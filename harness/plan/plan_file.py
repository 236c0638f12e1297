"""The plan that a run folder keeps: of a run under load, or of a bench."""

from __future__ import annotations

from harness.plan.bench import BenchPlan
from harness.plan.model import RunPlan
from harness.record.run_folder import RunFolder, read_model


def read_plan(folder: RunFolder) -> RunPlan | BenchPlan:
    """Raises :class:`HarnessError` where it is missing or damaged."""
    return read_model(folder.plan, BenchPlan) if folder.is_bench else read_model(folder.plan, RunPlan)

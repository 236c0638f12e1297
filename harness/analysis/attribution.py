"""stub"""

from __future__ import annotations

from collections.abc import Sequence

from harness.analysis.recorded import RecordedRun
from harness.record.baseline import FunctionSamples
from harness.record.profiles import Stack
from harness.record.summary import Suspect


def functions_of(stacks: Sequence[Stack]) -> dict[str, FunctionSamples]:
    """x"""
    return {}


def suspects_of(run: RecordedRun) -> list[Suspect]:
    """x"""
    return []

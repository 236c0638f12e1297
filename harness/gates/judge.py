"""From a recording to its summary: every figure, every gate, the verdict and the exit code.

Reads nothing but the run folder, so that a run can be judged again anywhere, under other gates, and a run that was
killed can be judged by what it left.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

from harness.gates.judge_bench import judge_bench
from harness.gates.judge_run import judge_run
from harness.plan.bench import BenchGate
from harness.plan.model.run import Gate
from harness.record.summary import Summary
from harness.recording import BenchRecording, RunRecording

Gates = Sequence[Gate] | Sequence[BenchGate]


def judge(recording: RunRecording | BenchRecording, *, gates: Gates | None = None) -> Summary:
    """Judge a run or bench under its plan's gates (None), or under others of its kind. Writes nothing.

    Raises :class:`harness.errors.HarnessError` if the recording is damaged.
    """
    if isinstance(recording, BenchRecording):
        return judge_bench(recording, cast("Sequence[BenchGate] | None", gates))
    return judge_run(recording, cast("Sequence[Gate] | None", gates))

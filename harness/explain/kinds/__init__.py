"""The kinds of causes. A new one is a file in this package and a line in :data:`KINDS`."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from harness.explain.kinds import (
    checks,
    contract,
    cores,
    cpu,
    failures,
    faults,
    generator,
    memory,
    new_code,
    process_ends,
    saturation,
    statements,
    surroundings,
    waits,
)
from harness.explain.questions import Question
from harness.record.explanation import Cause, CauseKind

KINDS: tuple[Callable[[Question], Iterable[Cause]], ...] = (
    process_ends.causes,
    faults.causes,
    generator.causes,
    cores.causes,
    statements.causes,
    waits.causes,
    cpu.causes,
    saturation.causes,
    surroundings.causes,
    memory.causes,
    failures.causes,
    contract.causes,
    checks.causes,
    new_code.causes,
)
"""Each yields the causes that it finds for a question; none if there are none, or if the question is not its own."""

VOIDING: frozenset[CauseKind] = frozenset({"target-died", "generator"})
"""Where one of these is a cause, the figure says little about the target."""

OF_FAULTS = (faults.causes, failures.causes)
"""The kinds that explain seconds under a fault; the others explain the seconds that no fault disturbed."""

ROOTS: frozenset[CauseKind] = frozenset({"statements", "fault"})
"""These make others (CPU time, waits), and are not made by them."""

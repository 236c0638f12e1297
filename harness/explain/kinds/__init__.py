"""The kinds of causes. A new one is a file in this package and a line in :data:`KINDS`."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from harness.explain.kinds import (
    cores,
    cpu,
    failures,
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
    generator.causes,
    cores.causes,
    statements.causes,
    waits.causes,
    cpu.causes,
    saturation.causes,
    surroundings.causes,
    memory.causes,
    failures.causes,
    new_code.causes,
)
"""Each yields what it finds for a question; nothing where it finds nothing, or the question is none of its own."""

VOIDING: frozenset[CauseKind] = frozenset({"target-died", "generator"})
"""Where one of these is a cause, the figure says little about the target."""

ROOTS: frozenset[CauseKind] = frozenset({"statements"})
"""These make others (CPU time, waits), and are not made by them."""

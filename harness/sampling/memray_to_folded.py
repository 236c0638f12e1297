"""Turns a memray trace into folded profiles: ``python -m harness.sampling.memray_to_folded TRACE``.

It is a process of its own because it may need memory and seconds that the controller must not spend. It writes beside
the trace, with bytes as weight, ``TRACE.KIND.folded``:

- ``memory-peak``: what was allocated at the moment of the highest use,
- ``memory-leaked``: what was allocated during the trace and not freed by its end,
- ``memory-allocated``: everything that was allocated, freed or not.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path

from memray import AllocationRecord, AllocatorType, FileReader

from harness.record.profiles import Stack, write_folded
from harness.sampling.frame_names import frame

_OWN = ("/_harness_agent.py", "/memray/__init__.py")
"""Files whose allocations belong to the tracing itself."""
_FREES = {AllocatorType.FREE, AllocatorType.MUNMAP, AllocatorType.PYMALLOC_FREE}


def convert(trace: Path) -> dict[str, Path]:
    """The folded files written, by kind. Raises ``OSError`` if ``trace`` is not a memray trace."""
    with FileReader(trace) as reader:
        stacks = {
            "memory-peak": _fold((record, record.size) for record in reader.get_high_watermark_allocation_records()),
            "memory-leaked": _fold((record, record.size) for record in reader.get_leaked_allocation_records()),
            "memory-allocated": _fold((record, size) for record, size, _ in _by_stack(reader)),
        }
    written = {}
    for kind, folded in stacks.items():
        written[kind] = trace.with_name(f"{trace.name.removesuffix('.bin')}.{kind}.folded")
        write_folded(written[kind], folded)
    return written


def allocations(trace: Path, counts: Callable[[list[str]], bool]) -> int:
    """How many allocations stacks (frames as folded, root first) made for which ``counts`` is true."""
    with FileReader(trace) as reader:
        counted = [number for record, _, number in _by_stack(reader) if counts(list(_frames(record)))]
    return sum(counted)


def _by_stack(reader: FileReader) -> Iterable[tuple[AllocationRecord, int, int]]:
    """One record per stack, the bytes and the number of its allocations. There may be millions, but few stacks."""
    first: dict[int, AllocationRecord] = {}
    sizes: Counter[int] = Counter()
    numbers: Counter[int] = Counter()
    for record in reader.get_allocation_records():
        if record.allocator not in _FREES:
            first.setdefault(record.stack_id, record)
            sizes[record.stack_id] += record.size
            numbers[record.stack_id] += record.n_allocations
    return [(record, sizes[stack], numbers[stack]) for stack, record in first.items()]


def _frames(record: AllocationRecord) -> tuple[str, ...]:
    return tuple(frame(*part) for part in reversed(record.stack_trace()))


def _fold(records: Iterable[tuple[AllocationRecord, int]]) -> list[Stack]:
    weights: Counter[tuple[str, ...]] = Counter()
    for record, size in records:
        trace = record.stack_trace()
        if trace and not any(path.endswith(_OWN) for _, path, _ in trace):
            weights[_frames(record)] += size
    return [Stack(frames, weight) for frames, weight in weights.items() if weight]


if __name__ == "__main__":
    convert(Path(sys.argv[1]))

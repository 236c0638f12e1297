"""Traces the memory of each benchmark: calls its function once more under memray.

One pytest session traces (see :func:`harness.microbench.plugin.pytest_configure`); one more process reads the traces,
``python -m harness.microbench.memory FOLDER``, for that may take memory and seconds that the controller must not.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Collection, Sequence
from pathlib import Path

from pydantic import BaseModel

from harness.messages import Message, message
from harness.microbench.request import Request
from harness.microbench.session import WENT_WELL, Session, pytest_command
from harness.plan.bench import BenchPlan
from harness.record.profiles import Profile, ProfileKind, Stack, read_folded, write_folded
from harness.record.run_folder import RunFolder
from harness.record.suite import MemoryFigures, write_memory
from harness.sampling.child import read_from_child

_READ_TIMEOUT_S = 300.0
_KINDS: tuple[ProfileKind, ...] = ("memory-peak", "memory-allocated")
_INTERRUPTED = message("memory-interrupted")
_CALL = "measured ("
_PLUGIN = "microbench/plugin.py"


class Traces(BaseModel):
    """The results of the traces, and why one is unreadable, by the benchmark's id."""

    figures: dict[str, MemoryFigures] = {}
    damaged: dict[str, str] = {}


def trace_benchmarks(
    tests: Sequence[str],
    plan: BenchPlan,
    folder: RunFolder,
    *,
    interrupts: Callable[[], int],
    on_progress: Callable[[str], None],
) -> tuple[list[Profile], list[Message]]:
    """Trace ``tests`` (the suite, in its order) and write their figures; profiles of them, and notes."""
    on_progress("tracing memory")
    folder.memory.mkdir(exist_ok=True)
    request = Request(
        report=str((folder.memory / "suite.json").absolute()),
        secret_names=plan.secret_names,
        paths=plan.paths,
        only=tuple(tests),
        memory=str(folder.memory.absolute()),
    ).write(folder.memory / "request.json")
    with Session(pytest_command(plan, request, ["--benchmark-disable"]), folder.log, lambda _: None) as session:
        ended = session.wait(interrupts)
    for name in ("suite.json", "request.json"):
        (folder.memory / name).unlink(missing_ok=True)
    if ended.interrupted:
        return [], [_INTERRUPTED]
    try:
        output = read_from_child("harness.microbench.memory", folder.memory, _READ_TIMEOUT_S, interrupts)
    except KeyboardInterrupt:
        return [], [_INTERRUPTED]
    except TimeoutError:
        return [], [message("memory-traces-too-large", folder=folder.memory)]
    except ChildProcessError as error:
        return [], [message("memory-traces-unreadable", reason=str(error))]
    read = Traces.model_validate_json(output)
    write_memory(folder.benchmark_memory, read.figures)
    missing = [test for test in tests if test not in read.figures and test not in read.damaged]
    notes = [
        message("memory-benchmark-trace-unreadable", test=test, reason=reason) for test, reason in read.damaged.items()
    ]
    if ended.status in WENT_WELL:
        notes += [message("memory-benchmark-failed", test=test) for test in missing]
    else:
        notes.append(message("memory-pytest-failed", missing=len(missing), count=len(tests), status=ended.status))
    return _profiles(tests, read.figures, folder), notes


def _profiles(tests: Sequence[str], read: Collection[str], folder: RunFolder) -> list[Profile]:
    indexes = {test: index for index, test in enumerate(tests) if test in read}
    return [
        Profile(
            kind=kind,
            phase=indexes[test],
            path=str(path.relative_to(folder.path)),
            unit="bytes",
            duration_s=0.0,
            raw=str(trace.relative_to(folder.path)),
        )
        for trace in sorted(folder.memory.glob("*.bin"))
        if (test := trace.with_suffix(".test").read_text(encoding="utf-8")) in indexes
        for kind in _KINDS
        if (path := trace.with_name(f"{trace.stem}.{kind}.folded")).is_file()
    ]


def read_traces(folder: Path) -> Traces:
    """Read all traces in ``folder``, and write folded profiles beside them."""
    found = Traces()
    for trace in sorted(folder.glob("*.bin")):
        test = trace.with_suffix(".test").read_text(encoding="utf-8")
        try:
            found.figures[test] = _read(trace)
        except (OSError, RuntimeError, ValueError) as error:  # cut off, or written by another version of memray
            found.damaged[test] = str(error)
    return found


def _read(trace: Path) -> MemoryFigures:
    from harness.sampling.memray_to_folded import allocations, convert

    sums = {}
    for kind, path in convert(trace).items():
        stacks = [cut for stack in read_folded(path) if (cut := _below_call(stack)) is not None]
        sums[kind] = sum(stack.weight for stack in stacks)
        if kind in _KINDS:
            write_folded(path, stacks)
        else:
            path.unlink()
    return MemoryFigures(
        peak_bytes=sums["memory-peak"],
        allocations=allocations(trace, lambda frames: any(_is_call(frame) for frame in frames)),
        allocated_bytes=sums["memory-allocated"],
    )


def _below_call(stack: Stack) -> Stack | None:
    """The stack below the call of the benchmark's function; None if it is the tracer's own."""
    at = next((at for at, frame in enumerate(stack.frames) if _is_call(frame)), None)
    return None if at is None else Stack(stack.frames[at + 1 :] or stack.frames[at:], stack.weight)


def _is_call(frame: str) -> bool:
    return frame.startswith(_CALL) and _PLUGIN in frame


if __name__ == "__main__":
    print(read_traces(Path(sys.argv[1])).model_dump_json())

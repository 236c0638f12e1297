"""Traces the memory of each benchmark: calls its function once more under memray.

One pytest session traces (see :func:`harness.microbench.plugin.pytest_configure`); one more process reads the traces,
``python -m harness.microbench.memory FOLDER``, for that may take memory and seconds that the controller must not.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Collection, Iterator, Sequence
from pathlib import Path

from pydantic import BaseModel

from harness.messages import Message, message
from harness.microbench.request import Request
from harness.microbench.session import WENT_WELL, Ended, Session, pytest_command
from harness.plan.bench import BenchPlan
from harness.record.profiles import ProfileIndex, ProfileKind, Stack, read_folded, write_folded
from harness.record.run_folder import RunFolder
from harness.record.suite import MemoryFigures, write_memory
from harness.sampling.child import read_from_child
from harness.sampling.memory import memory_profiles

_READ_TIMEOUT_S = 300.0
_KINDS: tuple[ProfileKind, ...] = ("memory-peak", "memory-allocated")
_CALL = "measured ("
_PLUGIN = "microbench/plugin.py"


class Traces(BaseModel):
    """The results of the traces, and why one is unreadable, by the benchmark's id."""

    figures: dict[str, MemoryFigures] = {}
    damaged: dict[str, str] = {}


def trace_benchmarks(
    tests: Sequence[tuple[int, str]],
    plan: BenchPlan,
    folder: RunFolder,
    index: ProfileIndex,
    *,
    interrupts: Callable[[], int],
    on_progress: Callable[[str], None],
) -> None:
    """Trace ``tests``, write their figures, and add profiles of them to ``index``.

    Each test comes with its number in the suite, which is the profile's ``phase``.
    """
    on_progress("tracing memory")
    numbers = {test: number for number, test in tests}
    folder.memory.mkdir(exist_ok=True)
    ended = _trace(plan, folder, numbers, interrupts)
    try:
        if ended.interrupted:
            raise KeyboardInterrupt
        output = read_from_child("harness.microbench.memory", folder.memory, _READ_TIMEOUT_S, interrupts)
    except KeyboardInterrupt:
        index.notes.append(message("memory-interrupted"))
        return
    except TimeoutError:
        index.notes.append(message("memory-traces-too-large", folder=folder.memory))
        return
    except ChildProcessError as error:
        index.notes.append(message("memory-traces-unreadable", reason=str(error)))
        return
    read = Traces.model_validate_json(output)
    write_memory(folder.benchmark_memory, read.figures)
    index.notes += _problems(read, numbers, ended.status)
    for trace in sorted(folder.memory.glob("*.bin")):
        test = trace.with_suffix(".test").read_text(encoding="utf-8")
        if test in read.figures:
            index.profiles += memory_profiles(trace, folder, numbers[test], duration_s=0.0)


def _trace(plan: BenchPlan, folder: RunFolder, tests: Collection[str], interrupts: Callable[[], int]) -> Ended:
    """Run the suite's ``tests``; how pytest ended."""
    request = Request(
        report=str((folder.memory / "suite.json").absolute()),
        secret_names=plan.secret_names,
        paths=plan.paths,
        only=tuple(tests),
        memory=str(folder.memory.absolute()),
    ).write(folder.memory / "request.json")
    with Session(
        pytest_command(plan, request, ["--benchmark-disable"]), folder.log, lambda _: None, request
    ) as session:
        ended = session.wait(interrupts)
    for name in ("suite.json", "request.json"):
        (folder.memory / name).unlink(missing_ok=True)
    return ended


def _problems(read: Traces, tests: Collection[str], status: int) -> Iterator[Message]:
    """Which of the ``tests`` have no figures, and why."""
    for test, reason in read.damaged.items():
        yield message("memory-benchmark-trace-unreadable", test=test, reason=reason)
    missing = [test for test in tests if test not in read.figures and test not in read.damaged]
    if status in WENT_WELL:
        for test in missing:
            yield message("memory-benchmark-failed", test=test)
    else:
        yield message("memory-pytest-failed", missing=len(missing), count=len(tests), status=status)


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

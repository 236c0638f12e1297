"""Each benchmark's function called once more under memray: what it held at the most, and how much it allocated.

One pytest session traces (see :func:`harness.bench.plugin.pytest_configure`); one more process reads the traces,
``python -m harness.bench.memory FOLDER``, for that may take memory and seconds that the controller must not.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from harness.bench.request import Request
from harness.bench.session import Session, pytest_command
from harness.record.profiles import Profile, ProfileKind, Stack, read_folded, write_folded
from harness.record.run_folder import RunFolder
from harness.record.suite import MemoryFigures, write_memory
from harness.sampling.child import start_child

_READ_TIMEOUT_S = 300.0
_KINDS: tuple[ProfileKind, ...] = ("memory-peak", "memory-allocated")
_CALL = "measured ("
_PLUGIN = "bench/plugin.py"


def trace_benchmarks(
    tests: Sequence[str],
    arguments: Sequence[str],
    folder: RunFolder,
    *,
    interrupts: Callable[[], int],
    say: Callable[[str], None],
) -> tuple[list[Profile], list[str]]:
    """Trace ``tests`` (the suite, in its order) and write their figures; profiles of them, and notes."""
    say("tracing memory")
    folder.memory.mkdir(exist_ok=True)
    request = Request(
        report=str((folder.memory / "suite.json").absolute()),
        rounds=str((folder.memory / "rounds").absolute()),
        only=tuple(tests),
        memory=str(folder.memory.absolute()),
    ).write(folder.memory / "request.json")
    with Session(pytest_command(arguments, request, ["--benchmark-disable"]), folder.log, lambda _: None) as session:
        ended = session.wait(interrupts)
    for name in ("suite.json", "request.json"):
        (folder.memory / name).unlink(missing_ok=True)
    if ended.interrupted:
        return [], ["memory was not traced to its end: it was interrupted"]
    command = [sys.executable, "-P", "-m", "harness.bench.memory", str(folder.memory)]
    child = start_child(command, subprocess.PIPE, subprocess.PIPE)
    try:
        output, errors = child.communicate(timeout=_READ_TIMEOUT_S)
    except subprocess.TimeoutExpired:
        child.kill()
        child.communicate()
        return [], [f"the memory traces took too long to read; they are kept in {folder.memory}"]
    if child.returncode != 0:
        last = (errors.decode(errors="replace").strip().splitlines() or ["no reason given"])[-1]
        return [], [f"the memory traces cannot be read: {last}"]
    figures = {test: MemoryFigures.model_validate(found) for test, found in json.loads(output).items()}
    write_memory(folder.benchmark_memory, figures)
    missing = [test for test in tests if test not in figures]
    notes = [
        f"memory of {test} was not traced: under memray its test failed; harness.log tells why" for test in missing
    ]
    return _profiles(tests, folder), notes


def _profiles(tests: Sequence[str], folder: RunFolder) -> list[Profile]:
    places = {test: place for place, test in enumerate(tests)}
    return [
        Profile(
            kind=kind,
            phase=places[trace.with_suffix(".test").read_text(encoding="utf-8")],
            path=str(path.relative_to(folder.path)),
            unit="bytes",
            duration_s=0.0,
            raw=str(trace.relative_to(folder.path)),
        )
        for trace in sorted(folder.memory.glob("*.bin"))
        for kind in _KINDS
        if (path := trace.with_name(f"{trace.stem}.{kind}.folded")).is_file()
    ]


def read_traces(folder: Path) -> dict[str, MemoryFigures]:
    """The figures of each benchmark traced into ``folder``, by its id; folded profiles are written beside them."""
    from harness.sampling.memray_to_folded import allocations, convert

    found = {}
    for trace in sorted(folder.glob("*.bin")):
        written = convert(trace)
        sums = {}
        for kind, path in written.items():
            stacks = [cut for stack in read_folded(path) if (cut := _below_call(stack)) is not None]
            sums[kind] = sum(stack.weight for stack in stacks)
            if kind in _KINDS:
                write_folded(path, stacks)
            else:
                path.unlink()
        found[trace.with_suffix(".test").read_text(encoding="utf-8")] = MemoryFigures(
            peak_bytes=sums["memory-peak"],
            allocations=allocations(trace, lambda frames: any(_is_call(frame) for frame in frames)),
            allocated_bytes=sums["memory-allocated"],
        )
    return found


def _below_call(stack: Stack) -> Stack | None:
    """What lies below the call of the benchmark's function; None where it is the tracing's own."""
    at = next((at for at, frame in enumerate(stack.frames) if _is_call(frame)), None)
    return None if at is None else Stack(stack.frames[at + 1 :] or stack.frames[at:], stack.weight)


def _is_call(frame: str) -> bool:
    return frame.startswith(_CALL) and _PLUGIN in frame


if __name__ == "__main__":
    print(json.dumps({test: found.model_dump() for test, found in read_traces(Path(sys.argv[1])).items()}))

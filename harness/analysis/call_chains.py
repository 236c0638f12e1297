"""Names the function that explains the growth of several functions that call each other.

That is the deepest of the chain. The search does not go down into Python's standard library, nor into a function that
others use as well and that grew less in proportion: then the caller is what changed. If the deepest one belongs to a
library, and one function of the target's own code calls it for nearly all of the growth, that one is named.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence

from harness.analysis.functions import parse_frame
from harness.analysis.growth import Growth
from harness.record.changes import Suspect
from harness.record.measurement import FunctionSamples
from harness.record.profiles import Stack

_MOST_CALLERS = 3
_EXPLAINS = 0.8
"""The share of a function's growth that another one must account for to explain it."""
_AS_NEW = 0.95
"""How new a callee must be, in proportion to its caller, to be named instead of it."""
_WHOLE_PROGRAM = 0.9
"""A function with more than this share of the samples runs the whole program."""

_Under = Mapping[tuple[str, str], float]
"""Samples of functions below others: by the outer and the inner one."""


def most_specific(
    grown: Sequence[Growth],
    all_growths: Mapping[str, Growth],
    samples: Mapping[str, FunctionSamples],
    stacks: Sequence[Stack],
    own_files: Collection[str],
) -> list[Suspect]:
    """The functions that explain the growth of those that have ``grown``, the greatest growth first.

    ``all_growths`` has what every function grew by, by its key, and ``samples`` those that it is computed from.
    ``stacks`` are those of this run, which may be one of several. ``own_files`` are the target's own.
    """
    under, depth, lines = _nesting({key: samples[key].total for key in all_growths}, stacks)
    grown = [entry for entry in grown if entry.key in lines]
    explained: dict[str, list[str]] = {}
    for outer in grown:
        for inner in grown:
            if _is_wrapper(outer, inner, under):
                explained.setdefault(outer.key, []).append(inner.key)
    left = [entry for entry in grown if entry.key not in explained]
    left = [entry for entry in left if not any(_is_callee(entry, outer, under) for outer in left)]
    named = [entry for entry in left if not _is_sum(entry, left, under)]
    suspects: dict[str, Suspect] = {}
    for entry in sorted(named, key=lambda entry: -entry.growth_ms):
        callers = [key for key, inner in explained.items() if entry.key in inner]
        callers.sort(key=lambda key: (parse_frame(key).is_standard, -depth[key]))
        own = None
        if own_files and parse_frame(entry.key).file not in own_files:
            own = _own_caller(entry, all_growths, under, stacks, own_files)
        charged = own or entry
        above = [key for key in callers if key != charged.key and depth[key] < depth[charged.key]]
        inside = entry.key if own else None
        suspects.setdefault(charged.key, _suspect(charged, lines[charged.key], above[:_MOST_CALLERS], inside))
    return list(suspects.values())


def _own_caller(
    entry: Growth,
    all_growths: Mapping[str, Growth],
    under: _Under,
    stacks: Sequence[Stack],
    own_files: Collection[str],
) -> Growth | None:
    """The function of the target's own code that calls a library's function for nearly all of its growth.

    None if several call it, or if only what runs the whole program calls it.
    """
    nearest: Counter[str] = Counter()
    for stack in stacks:
        frames = [parse_frame(text) for text in stack.frames]
        inside = next((at for at, frame in enumerate(frames) if frame.key == entry.key), None)
        if inside is not None:
            own = next((frame.key for frame in reversed(frames[:inside]) if frame.file in own_files), "")
            nearest[own] += stack.weight
    key, weight = nearest.most_common(1)[0] if nearest else ("", 0)
    caller = all_growths.get(key)
    if caller is None or weight < _EXPLAINS * nearest.total() or caller.now_share > _WHOLE_PROGRAM:
        return None
    called_ms = under.get((key, entry.key), 0) * entry.sample_ms
    return caller if min(called_ms, caller.growth_ms) >= _EXPLAINS * entry.growth_ms else None


def is_outside_own_code(
    key: str, all_growths: Mapping[str, Growth], stacks: Sequence[Stack], own_files: Collection[str]
) -> bool:
    """Whether hardly any own code of the target calls a library function or is called by it.

    A function that runs the whole program does not count as own code. False for new functions, and if the target's own
    files are not known.
    """
    if not own_files or parse_frame(key).file in own_files or all_growths[key].newness >= _AS_NEW:
        return False
    near: Counter[bool] = Counter()
    for stack in stacks:
        frames = [parse_frame(text) for text in stack.frames]
        if all(frame.key != key for frame in frames):
            continue
        own = {frame.key for frame in frames if frame.file in own_files}
        near[any(each in all_growths and all_growths[each].now_share <= _WHOLE_PROGRAM for each in own)] += stack.weight
    return near[False] >= _EXPLAINS * near.total() > 0


def _calls(outer: Growth, inner: Growth, under: _Under) -> bool:
    """Whether ``inner`` runs below ``outer``, more often than the other way round."""
    return under.get((outer.key, inner.key), 0) > under.get((inner.key, outer.key), 0)


def _is_wrapper(outer: Growth, inner: Growth, under: _Under) -> bool:
    """Whether ``outer`` grew only because it calls ``inner``."""
    if not _calls(outer, inner, under) or parse_frame(inner.key).is_standard:
        return False
    called = under.get((outer.key, inner.key), 0) * inner.sample_ms
    explained_ms = min(called, inner.growth_ms)
    left_ms = outer.growth_ms - explained_ms
    explains = left_ms <= (1 - _EXPLAINS) * outer.growth_ms or left_ms <= min(outer.error_ms, explained_ms)
    return explains and inner.newness >= _AS_NEW * outer.newness


def _is_sum(outer: Growth, entries: Sequence[Growth], under: _Under) -> bool:
    """Whether ``outer`` grew only because it calls several of the others."""
    inside = [inner for inner in entries if _calls(outer, inner, under)]
    called = sum(under.get((outer.key, inner.key), 0) * inner.sample_ms * inner.newness for inner in inside)
    return called >= _EXPLAINS * outer.growth_ms


def _is_callee(inner: Growth, outer: Growth, under: _Under) -> bool:
    """Whether ``inner`` grew only because ``outer``, which is new itself, calls it."""
    if not _calls(outer, inner, under):
        return False
    called = under.get((outer.key, inner.key), 0) * inner.sample_ms * outer.newness
    return min(called, outer.growth_ms) >= _EXPLAINS * inner.growth_ms


def _nesting(samples: Mapping[str, int], stacks: Sequence[Stack]) -> tuple[_Under, dict[str, float], dict[str, int]]:
    """How many of each function's ``samples`` are below each other one, its mean depth, and its most frequent line.

    Of those functions that ``stacks`` show.
    """
    under: dict[tuple[str, str], int] = {}
    depths: dict[str, list[int]] = {}
    lines: dict[str, dict[int, int]] = {}
    for stack in stacks:
        outermost: dict[str, int] = {}
        for position, text in enumerate(stack.frames):
            frame = parse_frame(text)
            if frame.key not in samples or frame.key in outermost:
                continue
            depths.setdefault(frame.key, [0, 0])
            for outer in outermost:
                under[outer, frame.key] = under.get((outer, frame.key), 0) + stack.weight
            outermost[frame.key] = position
            depths[frame.key][0] += position * stack.weight
            depths[frame.key][1] += stack.weight
            of_line = lines.setdefault(frame.key, {})
            of_line[frame.line] = of_line.get(frame.line, 0) + stack.weight
    below = {(outer, inner): weight * samples[inner] / depths[inner][1] for (outer, inner), weight in under.items()}
    mean = {key: position / weight for key, (position, weight) in depths.items()}
    return below, mean, {key: max(seen, key=lambda line: seen[line]) for key, seen in lines.items()}


def _suspect(entry: Growth, line: int, callers: list[str], inside: str | None) -> Suspect:
    frame = parse_frame(entry.key)
    return Suspect(
        function=frame.function,
        file=frame.file,
        line=line,
        share_baseline=entry.base_share,
        share_run=entry.now_share,
        change=entry.now_share - entry.base_share,
        cpu_ms_baseline=entry.base_ms,
        cpu_ms_run=entry.now_ms,
        cpu_ms_growth=entry.interval_ms,
        callers=callers,
        inside=inside,
    )


def above_and_below(key: str, stacks: Sequence[Stack]) -> set[str]:
    """All functions that call a function or are called by it, and itself."""
    found: set[str] = set()
    for stack in stacks:
        keys = {parse_frame(text).key for text in stack.frames}
        if key in keys:
            found |= keys
    return found

"""What requests wait for: a lock, a connection from a pool, something downstream, the disk, a sleep.

Beside a baseline, waits that grew for certain are causes for certain, and those that probably grew are likely. Without
one, they are causes if requests wait for most of the time; others are only possible causes. Where all threads wait for
the GIL or a core, every other wait gets longer, too: the locks of threads that do not run are held for longer. If a
function grew in such a target, waits are not sure.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence

from harness.analysis.task_waits import THREAD_POOL
from harness.explain.arithmetic import less, mean_of, sum_of
from harness.explain.kinds import statements
from harness.explain.kinds.saturation import is_crowded
from harness.explain.questions import Question
from harness.messages import Message, message
from harness.metrics.formatting import Estimate
from harness.record.explanation import Cause, CauseKind, Place
from harness.record.measurement import Interval, WaitTime

_NONE = Interval.exactly(0.0)
_MOST_PLACES = 3
_MOSTLY = 0.5
_MUCH = 0.2
"""Of the response time."""
_OF_80_PERCENT = 0.65
"""The half-width of an 80 % interval, as a share of that of a 95 % interval: 1.28 standard errors of 1.96."""
_CALLS = ("HTTP", "socket")
"""What ``downstream_time`` counts; the time of a database is another metric."""

_Resource = tuple[str, ...]
"""What is waited for and, but for a pool, where."""
_Waits = Mapping[_Resource, list[WaitTime]]


def causes(question: Question) -> Iterator[Cause]:
    if question.family not in ("time", "errors", "capacity", "downstream") or question.measured is None:
        return
    waits = _by_resource(_asked_for(question, question.measured.waits or []))
    before = [_by_resource(phase.waits) for phase in question.earlier if phase.waits is not None]
    compared = question.is_compared and bool(before)
    grew = question.is_compared and bool(question.attribution.suspects)
    sure = compared and not (grew and is_crowded(question))
    # They take the same time.
    more_statements = any(cause.sure and cause.part is not None for cause in statements.causes(question))
    for key, parts in waits.items():
        ms = sum_of([part.ms for part in parts])
        if compared:
            earlier = [_earlier(key, run, waits) for run in before]
            ms = less(ms, mean_of(earlier))
        if ms.low > 0 or (_probably_grew(question, ms) if compared else _is_much(question, ms)):
            is_sure = _is_most(question, ms) if question.family == "errors" or not compared else sure and ms.low > 0
            is_sure = is_sure and not (more_statements and parts[0].what == "database")
            yield _cause(question, parts, ms, compared=compared, sure=is_sure)


def _earlier(key: _Resource, run: _Waits, now: _Waits) -> Interval:
    """The same wait in a run of the baseline; of a new one, those of its kind that are gone: code may have moved."""
    same = [key] if key in run else [other for other in run if other[:2] == key[:2] and other not in now]
    return sum_of([part.ms for other in same for part in run[other]]) if same else _NONE


def _asked_for(question: Question, waits: Sequence[WaitTime]) -> Sequence[WaitTime]:
    """Of the time of downstream calls, no other wait is a part."""
    if question.family != "downstream":
        return waits
    return [wait for wait in waits if wait.kind == "downstream" and wait.what in _CALLS]


def _probably_grew(question: Question, ms: Interval) -> bool:
    """Whether a wait grew by its 80 % interval, and it is known how much of the rise that explains."""
    whole = question.mean_ms
    return (
        whole is not None and whole.low > 0 and ms.high is not None and ms.value > _OF_80_PERCENT * (ms.high - ms.value)
    )


def _is_much(question: Question, ms: Interval) -> bool:
    return question.mean_ms is not None and ms.value > _MUCH * question.mean_ms.value


def _is_most(question: Question, ms: Interval) -> bool:
    """Whether requests mostly wait for it, so that those that fail may do so because they waited for too long."""
    whole = question.response_ms
    return whole is not None and ms.low > _MOSTLY * whole.value


def _by_resource(waits: Sequence[WaitTime]) -> _Waits:
    """Waits for one pool are one cause, wherever they occur; other waits are one cause per place."""
    found: defaultdict[_Resource, list[WaitTime]] = defaultdict(list)
    for wait in waits:
        found[(wait.kind, wait.what) if wait.kind == "pool" else wait.key].append(wait)
    return found


def _cause(question: Question, parts: Sequence[WaitTime], ms: Interval, *, compared: bool, sure: bool) -> Cause:
    longest = parts[0]
    place = Place(function=longest.function, file=longest.file, line=longest.line or None)
    others = [
        str(Place(function=part.function, file=part.file, line=part.line)) for part in parts[1 : 1 + _MOST_PLACES]
    ]
    evidence = [message("evidence-other-places", places=others)] if others else []
    kind, what = _words(longest, place, ms, compared=compared)
    return question.cause(kind, what, ms=ms, place=place, sure=sure, evidence=evidence)


def _words(wait: WaitTime, place: Place, ms: Interval, *, compared: bool) -> tuple[CauseKind, Message]:
    params = {"place": str(place), "ms": Estimate(ms, "ms"), "more": " more" if compared else ""}
    match wait.kind:
        case "pool" if wait.what == THREAD_POOL:
            return "pool", message("cause-thread-pool", **params)
        case "pool":
            return "pool", message("cause-pool", pool=wait.what, **params)
        case "downstream":
            return "downstream", message("cause-downstream", what=wait.what, **params)
        case "queue":
            return "queue", message("cause-queue", **params)
        case "sleep":
            return "sleep", message("cause-sleep", **params)
        case "disk":
            return "disk", message("cause-disk", **params)
    return "lock", message("cause-lock", **params)

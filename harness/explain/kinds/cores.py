"""Others took the cores: the target was ready to run, and waited for one.

What the target lost to others is at most the time that its threads waited in run queues, and at most what others used;
see :mod:`harness.analysis.contamination`. So its part is an upper bound. A phase's figures that leave such seconds out
have another cause, and so have those at equal machine speed. A neighbour makes CPU time longer only by what it takes of
caches and of the clock, so it is never certain to have done so. Nor is it of failures: it makes responses late, and
only a gate that its seconds leave undecided is so for certain.
"""

from __future__ import annotations

from collections.abc import Iterator

from harness.analysis.contamination import contamination_of, spans_of
from harness.explain.questions import Question
from harness.messages import message
from harness.metrics.formatting import Amount
from harness.record.explanation import Cause
from harness.record.measurement import ALL, Interval, PhaseMeasurement

_MOSTLY = 0.5
"""Of the rise: what can explain less is only one of its causes, at the most."""


def causes(question: Question) -> Iterator[Cause]:
    record, measured = question.record, question.measured
    undecided = question.undecided_for_others
    if (
        record is None
        or measured is None
        or not (undecided or question.family in ("time", "errors", "capacity", "cpu"))
    ):
        return
    if question.change is not None and question.change.machine_slower is not None:
        return
    found = contamination_of(record, question.run)
    if not found.count or (found.leaves_enough and question.family != "capacity"):
        return
    lost, per_request_ms = lost_to_others(measured)
    if question.is_compared and per_request_ms is not None:
        before = [each for phase in question.earlier if (each := lost_to_others(phase)[1]) is not None]
        per_request_ms -= sum(before) / len(before) if before else 0.0
    seconds = [f"{start}–{end} s" for start, end in spans_of(found.numbers)]
    where: dict[str, object] = {"phase": record.plan.name, "seconds": seconds, "others": found.others_cores}
    if lost is None:
        what = message("cause-cores-taken-in-steps", **where)
    else:
        what = message("cause-cores-taken", share=Amount(100 * lost, "%"), **where)
    ms = None if per_request_ms is None else Interval(value=per_request_ms, low=0.0, high=per_request_ms)
    if ms is None or ms.value > 0:
        cause = question.cause(
            "cores-taken", what, ms=ms if question.family in ("time", "errors", "capacity") else None
        )
        matters = question.family in ("time", "capacity") or (undecided and question.family != "cpu")
        sure = matters and (cause.share is None or cause.share.value >= _MOSTLY)
        if not sure and undecided:
            # Behind a request that waits for a core, others wait for it: the part of the mean is no upper bound then.
            cause = question.cause("cores-taken", what)
        yield cause.model_copy(update={"sure": sure})


def lost_to_others(phase: PhaseMeasurement) -> tuple[float | None, float | None]:
    """The largest share (0…1) of the time it wanted a core that the target lost to others; and that per request.

    Neither is known of a phase of steps.
    """
    target, machine = phase.resources.get("target", {}), phase.resources.get("machine", {})
    if "waiting_percent" not in target or "others_percent" not in machine or "cpu_percent" not in target:
        return None, None
    lost = min(target["waiting_percent"].mean, machine["others_percent"].mean) / 100
    wanted = target["cpu_percent"].mean / 100 + lost
    rate = phase.endpoints[ALL].figures.get("throughput")
    per_request_ms = 1000 * lost / rate.value if rate is not None and rate.value else None
    return lost / wanted if wanted else 0.0, per_request_ms

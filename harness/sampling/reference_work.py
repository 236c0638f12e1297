"""Repeats the same work and prints its CPU time: ``python -I -S reference_work.py ROUND_S``.

A line a round: when it ended (epoch), and the nanoseconds of each task in :data:`TASKS`, on its thread's CPU clock.
They do not include waiting for a core. Of ten kinds of work, those two followed the CPU time of real servers best,
quiet and beside a neighbour: JSON, and small Python objects. Plain loops slow down more than servers do, system calls
less; the time of a look-up in memory depends on who else uses the caches. Whoever changes the work changes the name of
its readings (``REFERENCE_WORK``): times of other work are not comparable.

It runs beside the target, in a process of its own, because in the controller's it would wait for the GIL and find its
caches filled. It imports next to nothing: that is half of Python's start.
"""

import json
import os
import sys
import time

_TAGS = [f"tag {number}" for number in range(20)]
_RECORDS = [{"id": number, "name": f"product {number}", "tags": [*_TAGS]} for number in range(91)]


def serialise(number: int) -> None:
    for each in range(number % 13, 91, 13):
        json.loads(json.dumps(_RECORDS[each]))


class _Item:
    def __init__(self, rank: int, number: int) -> None:
        self.rank, self.number = rank, number

    @property
    def name(self) -> str:
        return f"{self.rank}-{self.number}"

    def __lt__(self, other: "_Item") -> bool:
        return self.rank < other.rank


def handle(number: int) -> None:
    items = sorted(_Item((number + each) * 7919 % 101, each) for each in range(30))
    groups: dict[str, list[_Item]] = {}
    for item in items:
        try:
            groups[item.name[:2]].append(item)
        except KeyError:
            groups[item.name[:2]] = [item]
    names = ",".join(sorted(groups)).encode().decode().split(",")
    {name.upper(): [item.rank for item in groups[name] if item.number % 2] for name in names}


TASKS = (serialise, handle)


def main(round_s: float) -> None:
    """Go on until killed. The tasks are spread over the round, to meet what targets meet."""
    number = 0
    offset_s = time.time() - time.monotonic()  # as harness.steady_clock, without importing it
    while True:
        times = []
        for task in TASKS:
            time.sleep(round_s / len(TASKS))
            before = time.thread_time_ns()
            task(number)
            times.append(time.thread_time_ns() - before)
        os.write(1, b"%f %d %d\n" % (offset_s + time.monotonic(), *times))
        number += 1


if __name__ == "__main__":
    main(float(sys.argv[1]))

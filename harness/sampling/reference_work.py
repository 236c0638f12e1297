"""Does the same work again and again, and prints how much CPU time it took: ``python -I -S reference_work.py``.

A line a round: the nanoseconds of each task in :data:`TASKS`, on the CPU clock of its thread. Waiting for a core is no
part of them. The tasks are what servers in Python do most: they interpret, serialise, look up in memory that is in no
cache near the core, and handle objects. Whoever changes them changes the name of their readings (``REFERENCE_WORK``):
times of other work are not comparable.

It runs beside the target, in a process of its own, because in the controller's it would wait for the GIL and find its
caches filled. It imports next to nothing: that is half of Python's start.
"""

import json
import os
import time

ROUND_S = 0.1

_RECORDS = [
    {"id": number, "name": f"product {number}", "tags": [f"tag {n}" for n in range(20)]} for number in range(91)
]
_COUNT = 30_000
_SPREAD = 7919
"""Prime, and far: keys that are looked up one after the other do not lie side by side."""
_TABLE = {f"key number {number}": number for number in range(_COUNT)}
_KEYS = [*_TABLE]
_KEYS = [_KEYS[number * _SPREAD % _COUNT] for number in range(_COUNT)]


def interpret(number: int) -> None:
    found = number
    for each in range(1600):
        found += each * _SPREAD % 13 == 0


def serialise(number: int) -> None:
    for each in range(number % 13, 91, 13):
        json.loads(json.dumps(_RECORDS[each]))


def look_up(number: int) -> None:
    first = number * 450 % _COUNT
    for key in _KEYS[first : first + 450]:
        _TABLE[key]


class _Item:
    def __init__(self, rank: int, number: int) -> None:
        self.rank, self.number = rank, number

    @property
    def name(self) -> str:
        return f"{self.rank}-{self.number}"

    def __lt__(self, other: "_Item") -> bool:
        return self.rank < other.rank


def handle(number: int) -> None:
    items = sorted(_Item((number + each) * _SPREAD % 101, each) for each in range(30))
    groups: dict[str, list[_Item]] = {}
    for item in items:
        try:
            groups[item.name[:2]].append(item)
        except KeyError:
            groups[item.name[:2]] = [item]
    names = ",".join(sorted(groups)).encode().decode().split(",")
    {name.upper(): [item.rank for item in groups[name] if item.number % 2] for name in names}


TASKS = (interpret, serialise, look_up, handle)


def main() -> None:
    """Go on until killed, a round each :data:`ROUND_S`. Its tasks are spread over it, to meet what targets meet."""
    number = 0
    while True:
        times = []
        for task in TASKS:
            time.sleep(ROUND_S / len(TASKS))
            before = time.thread_time_ns()
            task(number)
            times.append(time.thread_time_ns() - before)
        os.write(1, b"%d %d %d %d\n" % tuple(times))
        number += 1


if __name__ == "__main__":
    main()

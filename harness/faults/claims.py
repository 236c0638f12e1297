"""Which fault acts on what: no two act on one process at a time, however a user names it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable, Iterator, Sequence
from contextlib import contextmanager

from harness.errors import HarnessError
from harness.faults.fault import Fault
from harness.faults.place import Place


class Claims:
    """What each fault acts on while it does, by the fault's number."""

    def __init__(self, faults: Sequence[Fault], names: Sequence[str]) -> None:
        self._faults = faults
        self._names = names
        self._held: dict[int, frozenset[Hashable]] = {}
        self._changed = threading.Condition()

    @contextmanager
    def held(self, number: int, place: Callable[[], Place], is_over: Callable[[int], bool]) -> Iterator[None]:
        """Hold what fault ``number`` acts on. Waits for those on the same that are over, and only to be undone.

        Raises :class:`HarnessError` if one on the same is not over, or as :meth:`Fault.begin` does.
        """
        with self._changed:
            while (other := self._claimed_before(number, place())) is not None:
                if not is_over(other):
                    raise HarnessError("fault-on-same-process", other=self._names[other])
                self._changed.wait()
        try:
            yield
        finally:
            with self._changed:
                del self._held[number]
                self._changed.notify_all()

    def _claimed_before(self, number: int, place: Place) -> int | None:
        """A fault that holds what this one acts on; None: now this one holds it."""
        fault = self._faults[number]
        # A target that is about to start again has no processes to look for.
        other = self._holder(frozenset([fault.thing]))
        if other is None:
            wanted = fault.acts_on(place)
            if (other := self._holder(wanted)) is None:
                self._held[number] = wanted
        return other

    def _holder(self, things: frozenset[Hashable]) -> int | None:
        return next((other for other, held in self._held.items() if held & things), None)

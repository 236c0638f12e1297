"""``harness.feeder(…)``: rows of a file, or of the scenario's own code, for users.

The controller writes the rows to a file before the load, which every worker maps into memory
(:mod:`harness.feeders.rows`). Which worker gets which rows, the load master decides (:mod:`harness.engine.dealing`),
except at random.
"""

from __future__ import annotations

import os
import random
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Literal, NoReturn, get_args

from gevent.event import Event

from harness.errors import HarnessError
from harness.feeders.rows import Rows
from harness.messages import Message, alternatives, message

Order = Literal["circular", "random", "shuffle", "unique"]
Exhausted = Literal["stop", "recycle"]
_FIRST_RANGE, _LONGEST_RANGE = 16, 10_000
_SHORT_S = 1.0
"""A range that is used up sooner is followed by one twice as long."""

_feeders: list[Feeder] = []
"""All of this process, in the order in which the scenario made them: the same in every process."""


def feeder(source: str | Path | Iterable[Any], order: Order = "circular", exhausted: Exhausted | None = None) -> Feeder:
    """Rows for users, one for each ``next(rows)`` in a task or in ``on_start``.

    ``source`` is a CSV, JSON lines or Parquet file, beside the scenario or in the working folder, or anything that
    yields rows, such as a list or a generator. Call it at the top of the scenario.

    ``order``: ``circular`` (one after the other, then again from the first), ``random``, ``shuffle`` (each once, in
    random order) or ``unique`` (each once). Where each comes once, that holds across all workers on all machines.
    ``exhausted`` says what happens after the last: ``stop`` ends the run, ``recycle`` begins again. The default is
    ``stop`` for ``unique`` and ``shuffle``.
    """
    frame = sys._getframe(1)
    made = Feeder(source, order, exhausted, frame.f_code.co_filename, frame.f_lineno)
    _feeders.append(made)
    return made


class Feeder:
    """An iterator over rows. ``len()`` and indexing reach all rows, in ``setup`` and the other hooks as well."""

    def __init__(self, source: Any, order: str, exhausted: str | None, file: str, line: int) -> None:
        """Raises :class:`HarnessError` if the arguments make no sense."""
        self.where = f"{file}:{line}"
        if order not in get_args(Order):
            known = alternatives(str(order), get_args(Order))
            raise HarnessError("feeder-order-unknown", where=self.where, order=order, known=known)
        if exhausted not in (None, *get_args(Exhausted)):
            known = alternatives(str(exhausted), get_args(Exhausted))
            raise HarnessError("feeder-exhausted-unknown", where=self.where, exhausted=exhausted, known=known)
        if exhausted == "stop" and order in ("circular", "random"):
            raise HarnessError("feeder-never-exhausted", where=self.where, order=order)
        self.path = _found(source, Path(file).parent) if isinstance(source, str | Path) else None
        self.source = source
        if self.path is None and not isinstance(source, Iterable):
            raise HarnessError("feeder-source-invalid", where=self.where, kind=type(source).__name__)
        self.order = order
        self.recycles = order in ("circular", "random") or exhausted == "recycle"
        self._rows: Rows | None = None
        self._random: random.Random | None = None
        self._ask: Callable[[int], None] | None = None
        self._stop: Callable[[Message], None] | None = None
        self._range = self._following = range(0)
        """Positions that this worker may use, and the range that has arrived ahead of its turn."""
        self._at = 0
        self._asked = self._over = False
        self._arrived = Event()
        self._length = _FIRST_RANGE
        self._began_s = 0.0

    def describe(self) -> dict[str, Any]:
        """As the plan has it (:class:`harness.plan.model.scenario.FeederSource`)."""
        path = None if self.path is None else str(self.path)
        return {"path": path, "order": self.order, "recycles": self.recycles, "where": self.where}

    @property
    def name(self) -> str:
        """What people call it: its file, or where it was made."""
        return self.where if self.path is None else self.path.name

    def open(self, rows: Rows) -> None:
        """Read these rows."""
        self._rows = rows

    def feed(self, seed: str, ask: Callable[[int], None], stop: Callable[[Message], None]) -> None:
        """Give rows to the users of this worker.

        ``seed`` is that of rows at random. ``ask`` asks the master for so many positions, which :meth:`deal` gets;
        ``stop`` is called once if there is no row left.
        """
        self._random, self._ask, self._stop = random.Random(seed), ask, stop
        if self.order != "random":
            self._ask_for_more()

    def deal(self, begin: int, end: int) -> None:
        """Take the positions that the master has dealt to this worker; none: there are no more."""
        self._asked = False
        self._over = begin >= end
        if self._at < len(self._range):
            self._following = range(begin, end)
        else:
            self._take(range(begin, end))
        self._arrived.set()

    def _take(self, positions: range) -> None:
        self._range, self._following, self._at = positions, range(0), 0
        self._began_s = time.monotonic()

    def _ask_for_more(self) -> None:
        assert self._ask is not None
        self._asked = True
        self._arrived.clear()
        self._ask(self._length)

    def __iter__(self) -> Iterator[Any]:
        return self

    def __next__(self) -> Any:
        if self._rows is None or self._random is None:
            raise HarnessError("feeder-outside-load", where=self.where)
        if self.order == "random":
            return self._rows[self._random.randrange(len(self._rows))]
        while self._at >= len(self._range):
            self._wait()
        position = self._range[self._at]
        self._at += 1
        if not self._asked and not self._over and not self._following and 2 * self._at >= len(self._range):
            if time.monotonic() - self._began_s < _SHORT_S / 2:
                self._length = min(2 * self._length, _LONGEST_RANGE)
            self._ask_for_more()
        return self._rows[position % len(self._rows)]

    def _wait(self) -> None:
        if self._following:
            self._take(self._following)
        elif self._over:
            self._end_user()
        else:
            if not self._asked:
                self._ask_for_more()
            self._arrived.wait()

    def _end_user(self) -> NoReturn:
        from locust.exception import StopUser  # only here: a scenario may be read without Locust

        if self._stop is not None:
            stop, self._stop = self._stop, None
            stop(message("feeder-exhausted", feeder=self.name, rows=len(self)))
        raise StopUser

    def __len__(self) -> int:
        return len(self._opened)

    def __getitem__(self, number: int) -> Any:
        return self._opened[number if number >= 0 else number + len(self)]

    @property
    def _opened(self) -> Rows:
        if self._rows is None:
            raise HarnessError("feeder-not-open", where=self.where)
        return self._rows


def _found(source: str | Path, folder: Path) -> Path:
    """The file beside the scenario; else the one in the working folder, whether it is there or not."""
    beside = folder / source
    return (beside if os.path.exists(beside) else Path(source)).absolute()  # noqa: PTH110  (no name is an error)


def feeders() -> Sequence[Feeder]:
    """Those that the scenario of this process has made."""
    return tuple(_feeders)


def open_feeders(paths: Sequence[str]) -> Sequence[Feeder]:
    """Open each feeder of the scenario that has been imported. Raises ``ValueError`` if these are others."""
    made = feeders()
    if len(made) != len(paths):
        raise ValueError(f"the scenario made {len(made)} feeders, not the {len(paths)} that it made before")
    for each, path in zip(made, paths, strict=True):
        each.open(Rows(path))
    return made

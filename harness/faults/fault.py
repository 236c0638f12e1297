"""What a fault is: the keys that a user writes for its kind, and how it is begun and undone."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Hashable, Mapping
from typing import ClassVar

from pydantic import BaseModel, ConfigDict

from harness.faults.place import Place
from harness.messages import Message


class Fault(BaseModel, ABC):
    """A fault of one kind. Each kind has a file: its keys with their defaults, and these methods.

    They run in the process of :mod:`harness.faults.carrying_out`, :meth:`check` in the controller. None may take much
    longer than :attr:`longest_s`: whoever ends the run waits for it. Each raises :class:`HarnessError` if it fails.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    kind: ClassVar[str]
    synonyms: ClassVar[Mapping[str, str]] = {}
    """Words for its keys that people bring from elsewhere, and the key that each means."""
    strength: ClassVar[tuple[str, ...]] = ()
    """The keys that say how hard it strikes: runs that differ in them are not compared under it."""

    @property
    @abstractmethod
    def thing(self) -> str:
        """What it acts on: two faults on one thing must not overlap."""

    def acts_on(self, place: Place) -> frozenset[Hashable]:  # noqa: ARG002
        """What it would act on now: its thing, and each process that this means. Raises as :meth:`begin`."""
        return frozenset([self.thing])

    def will_act_on(self, place: Place) -> frozenset[Hashable]:
        """The part of :meth:`acts_on` that is certain before the load."""
        return self.acts_on(place)

    @property
    def outside(self) -> tuple[str, ...]:
        """What it touches that the harness has not started, as ``allowed_faults`` names it."""
        return ()

    @property
    def pid(self) -> int | None:
        """The process that it acts on, if the user has given its number."""
        return None

    @property
    def is_momentary(self) -> bool:
        """Whether it is over as soon as it has begun, so that it has no ``for``."""
        return False

    @property
    def longest_s(self) -> float:
        """How long it may take to begin, and to end."""
        return 30.0

    @property
    def ends_target(self) -> bool:
        """Whether the target's process may end by it, and come back."""
        return False

    @property
    @abstractmethod
    def by_hand(self) -> Message:
        """What a person does to undo it, if the harness could not."""

    def check(self, place: Place) -> None:
        """Before any load: raise an error if what it acts on does not exist or is not allowed."""

    @abstractmethod
    def begin(self, place: Place) -> None:
        """Begin it. If this raises, :meth:`end` is called."""

    def require_active(self, place: Place) -> None:
        """When it is due to end: raise an error if it has ended by itself before, so that it shows nothing."""

    @abstractmethod
    def end(self, place: Place) -> None:
        """Undo it. May be called twice, and in another process than the one that began it."""

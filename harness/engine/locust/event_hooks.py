"""Who listens to a Locust event, and in what order; Locust itself only adds and removes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


def listeners_of(event: Any) -> list[Callable[..., Any]]:
    """The listeners of ``event``, in the order in which they are called."""
    return list(event._handlers)


def listen_first(event: Any, listener: Callable[..., Any]) -> None:
    """Call ``listener`` before all others: one that raises ``StopUser`` keeps those behind it from being called."""
    event._handlers.insert(0, listener)


def sole_recorder(event: Any, environment: Any) -> Any:
    """The environment's recorder if it is the only listener of ``event``, else None."""
    recorder = getattr(environment, "harness_recorder", None)
    if recorder is not None:
        listeners = event._handlers
        if len(listeners) == 1 and getattr(listeners[0], "__self__", None) is recorder:
            return recorder
    return None

"""Warns if the machine's clock was set while the load ran."""

from __future__ import annotations

from harness import steady_clock
from harness.messages import Message, message

_MOST_S = 0.5
"""NTP corrects less than this without a step."""


def clock_notices() -> list[Message]:
    """A warning of what depends on the machine's clock: times that the target itself states, and what expires."""
    by_s = steady_clock.set_by_s()
    return [message("clock-set", by_s=by_s)] if abs(by_s) > _MOST_S else []

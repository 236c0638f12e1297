"""When a worker's users begin nothing: in the turns of the other build of a duet."""

from __future__ import annotations


class Pauses:
    """Spans of the run, in seconds since its start; they do not overlap."""

    def __init__(self) -> None:
        self._spans: list[tuple[float, float]] = []

    def __bool__(self) -> bool:
        return bool(self._spans)

    def add(self, begin_s: float, end_s: float) -> None:
        """A pause after all those that were added before."""
        self._spans.append((begin_s, end_s))

    def forget(self, before_s: float) -> None:
        """Drop the pauses that have ended by then."""
        self._spans = [span for span in self._spans if span[1] > before_s]

    def left(self, now_s: float) -> float:
        """How long (s) the current pause lasts; 0 outside of one."""
        return next((end_s - now_s for begin_s, end_s in self._spans if begin_s <= now_s < end_s), 0.0)

    def after(self, now_s: float, seconds: float) -> float:
        """How long (s) from now until ``seconds`` have passed outside of pauses."""
        until_s = now_s + seconds
        for begin_s, end_s in self._spans:
            if end_s > now_s and begin_s < until_s:
                until_s += end_s - max(begin_s, now_s)
        return until_s - now_s

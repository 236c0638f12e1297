"""When a worker's users begin nothing: in the turns of the other build of a duet."""

from __future__ import annotations

from collections import deque


class Pauses:
    """Spans of the run, in seconds since its start; they do not overlap. Times that are asked for never go back."""

    def __init__(self) -> None:
        self._spans: deque[tuple[float, float]] = deque()

    def __bool__(self) -> bool:
        return bool(self._spans)

    def add(self, begin_s: float, end_s: float) -> None:
        """A pause after all those that were added before."""
        self._spans.append((begin_s, end_s))

    def left(self, now_s: float) -> float:
        """How long (s) the current pause lasts; 0 outside of one."""
        while self._spans and self._spans[0][1] <= now_s:
            self._spans.popleft()
        return self._spans[0][1] - now_s if self._spans and self._spans[0][0] <= now_s else 0.0

    def after(self, now_s: float, seconds: float) -> float:
        """How long (s) from now until ``seconds`` have passed outside of pauses."""
        until_s = now_s + seconds
        for begin_s, end_s in self._spans:
            if begin_s >= until_s:
                break
            until_s += max(0.0, end_s - max(begin_s, now_s))
        return until_s - now_s

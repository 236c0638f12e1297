"""What a source of metrics is: the declaration that the registry lists, and what reads one server."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from harness.errors import HarnessError
from harness.messages import Message
from harness.record.redaction import redacted
from harness.record.resources import LineChart

TIMEOUT_S = 2.0
"""How long one response may take."""


@dataclass(slots=True)
class Values:
    """One reading of a server, by series."""

    gauges: dict[str, float] = field(default_factory=dict)
    counters: dict[str, float] = field(default_factory=dict)


class Source(ABC):
    """Reads one server, in one thread. What fails raises :class:`HarnessError`; the next :meth:`read` connects anew."""

    @abstractmethod
    def read(self) -> Values:
        """The values of now."""

    def statements(self) -> dict[str, list[float]]:
        """Of a database, how often it has run each statement, for how many milliseconds, and how many rows it gave."""
        return {}

    def missing(self) -> list[Message]:
        """After the last reading: what was asked for and never there, with what there is instead."""
        return []

    @abstractmethod
    def close(self) -> None:
        """Close the connection, if one is open."""


@dataclass(frozen=True, slots=True)
class SourceKind:
    """One kind of source. To add one, declare it in a file of this package and list it in ``SOURCES``."""

    name: str
    schemes: tuple[str, ...]
    """Of its URLs: they say which kind a source is."""
    example: str
    """A URL as a user would write it."""
    open: Callable[[str, Sequence[str]], Source]
    """Makes the source of a URL and the series to keep, without connecting."""
    series: Mapping[str, str] | None = None
    """All series that it has, with what each means; None: whatever the server offers, of which only those are kept that
    somebody names."""
    ratios: Mapping[str, str] = field(default_factory=dict)
    """Series that are made of others: ``{"hit_ratio": "hits / (hits + misses)"}``."""
    charts: tuple[LineChart, ...] = ()
    """The charts of its series; a series in none of them gets its own chart."""


def unreachable(url: str, error: Exception) -> HarnessError:
    """A server that does not respond, or refuses to."""
    reason = "no response in time" if isinstance(error, TimeoutError) else str(error).strip() or type(error).__name__
    return HarnessError("metrics-unreachable", url=redacted(url), reason=redacted(" ".join(reason.split())))


def package_missing(extra: str) -> HarnessError:
    """The packages of an extra are not installed."""
    return HarnessError("metrics-package-missing", extra=extra)

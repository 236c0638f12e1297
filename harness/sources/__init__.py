"""Sources of metrics of the surroundings. A new kind is a file here and a line in :data:`SOURCES`."""

from __future__ import annotations

from harness.sources.postgresql import POSTGRESQL
from harness.sources.prometheus import PROMETHEUS
from harness.sources.redis import REDIS
from harness.sources.source import Source, SourceKind, Values

SOURCES: tuple[SourceKind, ...] = (PROMETHEUS, POSTGRESQL, REDIS)

__all__ = ["SOURCES", "Source", "SourceKind", "Values", "source_kind"]


def source_kind(scheme: str) -> SourceKind | None:
    """The kind whose URLs have that scheme."""
    return next((kind for kind in SOURCES if scheme.lower() in kind.schemes), None)

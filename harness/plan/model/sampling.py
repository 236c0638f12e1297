"""What a plan samples beside the load."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from harness.plan.frozen import Frozen, Redacted, RedactedText
from harness.plan.phases import MEMORY_PASS
from harness.record.redaction import redacted

MAX_OVERHEAD = 0.02
"""The share of the machine's CPU time that py-spy may use; it samples less often where it would use more."""


class CpuSampling(Frozen):
    rate_hz: int = 100
    max_overhead: float = MAX_OVERHEAD


class MemorySampling(Frozen):
    duration_s: float = 10.0


TRACED_SHARE = 0.05
"""Of the requests in measured phases: recording their spans costs under 2 % of the target's throughput."""


class TraceSampling(Frozen):
    """Some requests ask the target for its spans. In the ``diagnose`` phase, all do."""

    share: float = TRACED_SHARE
    """Of the requests in all other phases (0…1), within limits per second (:mod:`harness.engine.http.tracing`)."""
    instrument: bool = True
    """Whether a Python target is started under ``opentelemetry-instrument``."""
    listen: str | None = None
    """Where spans are received (``--otlp``); None: on loopback."""
    url: Annotated[str | None, Redacted(redacted)] = None
    """Where people find a trace: ``https://tracing.example/trace/{trace_id}``."""

    def share_in(self, kind: str) -> float:
        """Which share of the requests of a phase of this kind asks for spans."""
        return 1.0 if kind == MEMORY_PASS else self.share


class MetricsSource(Frozen):
    """A server whose metrics are read each second: ``[metrics.NAME]``."""

    name: str
    kind: str
    """One of :data:`harness.sources.SOURCES`."""
    url: RedactedText
    """A path is one on the target."""
    series: tuple[str, ...] = ()
    """What is kept of a page that offers more."""
    ratios: dict[str, str] = Field(default_factory=dict)
    """Quotients by their names: ``{"hit_ratio": "hits / (hits + misses)"}``."""


class Sampling(Frozen):
    """What is sampled; None switches one off."""

    cpu: CpuSampling | None = CpuSampling()
    memory: MemorySampling | None = MemorySampling()
    traces: TraceSampling | None = None
    metrics: tuple[MetricsSource, ...] = ()

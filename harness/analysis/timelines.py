"""The run over time, as tables a chart can be drawn from. Times are seconds from the run's start."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from harness.analysis.samples import ALL, Ints
from harness.record.histogram import Histogram, highest_of
from harness.record.journal import Journal, Series
from harness.record.resources import Reading


def requests_timeline(journal: Journal) -> pd.DataFrame:
    """What ended in each second, by endpoint and (endpoint ``""``) all together, over all phases.

    Columns: ``second``, ``endpoint``, ``requests``, ``failures``, ``bytes_received``, and of the response times in ms
    ``mean``, ``p50``, ``p75``, ``p90``, ``p95``, ``p99``, ``max`` (NaN where nothing ended).
    """
    rows = []
    for second in journal.seconds:
        groups: dict[str, list[Series]] = {ALL: list(second.series)}
        for series in second.series:
            groups.setdefault(str(journal.endpoints[series.endpoint]), []).append(series)
        for endpoint, parts in groups.items():
            whole = Histogram.merged([part.response for part in parts])
            rows.append(
                {
                    "second": second.second,
                    "endpoint": endpoint,
                    "requests": sum(part.requests for part in parts),
                    "failures": sum(part.failures for part in parts),
                    "bytes_received": sum(part.bytes_received for part in parts),
                    "mean": whole.mean_us / 1000,
                    "p50": whole.quantile_us(0.5) / 1000,
                    "p75": whole.quantile_us(0.75) / 1000,
                    "p90": whole.quantile_us(0.9) / 1000,
                    "p95": whole.quantile_us(0.95) / 1000,
                    "p99": whole.quantile_us(0.99) / 1000,
                    "max": whole.max_us / 1000 if whole.count else float("nan"),
                }
            )
    columns = ["second", "endpoint", "requests", "failures", "bytes_received"]
    return pd.DataFrame(rows, columns=[*columns, "mean", "p50", "p75", "p90", "p95", "p99", "max"])


def load_timeline(journal: Journal) -> pd.DataFrame:
    """How the load went: ``second``, ``users``, ``iterations``, ``late``, ``waiting``, and of the busiest worker
    ``cpu`` (share of a core) and ``lag_ms``."""
    rows = [
        {
            "second": second.second,
            "users": second.users,
            "iterations": sum(state.iterations for state in second.workers),
            "late": sum(state.late for state in second.workers),
            "waiting": sum(state.waiting for state in second.workers),
            "cpu": max((state.cpu for state in second.workers), default=0.0),
            "lag_ms": max((state.lag_ms for state in second.workers), default=0.0),
        }
        for second in journal.seconds
    ]
    return pd.DataFrame(rows, columns=["second", "users", "iterations", "late", "waiting", "cpu", "lag_ms"])


def failures_timeline(journal: Journal) -> pd.DataFrame:
    """Failures by second and kind: ``second``, ``endpoint``, ``failure``, ``count``."""
    rows = [
        {
            "second": failure.second,
            "endpoint": str(journal.endpoints[failure.endpoint]),
            "failure": failure.failure,
            "count": failure.count,
        }
        for failure in journal.failures
    ]
    return pd.DataFrame(rows, columns=["second", "endpoint", "failure", "count"])


def resources_timeline(readings: Sequence[Reading], epoch_s: float) -> pd.DataFrame:
    """What was sampled: ``at_s``, ``source``, ``name``, ``value``. ``epoch_s``: when the run began."""
    rows = [
        {"at_s": reading.epoch_s - epoch_s, "source": reading.source, "name": name, "value": value}
        for reading in readings
        for name, value in reading.values.items()
    ]
    return pd.DataFrame(rows, columns=["at_s", "source", "name", "value"])


def latency_heatmap(journal: Journal, *, bands: int = 40) -> tuple[Ints, np.ndarray, np.ndarray]:
    """How many requests ended in each second with a response time in each band.

    Returns the seconds (shape ``(n,)``), the upper edges of the bands in ms, evenly apart in their logarithms (shape
    ``(bands,)``), and the counts (shape ``(bands, n)``).
    """
    merged = [Histogram.merged([series.response for series in second.series]) for second in journal.seconds]
    seconds = np.array([second.second for second in journal.seconds], dtype=np.int64)
    whole = Histogram.merged(merged)
    counts = np.zeros((bands, len(seconds)), dtype=np.int64)
    if not whole.count:
        return seconds, np.zeros(bands), counts
    low = max(1.0, float(highest_of(whole.indices[:1])[0]))
    edges = np.geomspace(low, max(whole.max_us, low * 1.01), bands)
    for place, histogram in enumerate(merged):
        values = np.minimum(highest_of(histogram.indices), whole.max_us)
        np.add.at(counts[:, place], np.minimum(np.searchsorted(edges, values), bands - 1), histogram.counts)
    return seconds, edges / 1000, counts

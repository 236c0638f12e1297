"""What the whole machine does: CPU, memory, load, time taken by the hypervisor, pressure, network."""

from __future__ import annotations

import os
import time
from pathlib import Path

import psutil

from harness.sampling.network_usage import NetworkMeter

_PRESSURE = Path("/proc/pressure")


class MachineMeter:
    """Shares since the last call, so it is called once before the first reading."""

    def __init__(self) -> None:
        self._cores = psutil.cpu_count() or 1
        self._before = self._counters()
        self._network = NetworkMeter()

    def read(self) -> dict[str, float]:
        """Values by name (units in :mod:`harness.record.resources`)."""
        before, now = self._before, self._counters()
        self._before = now
        at_s, busy_s, stolen_s, *stalled_s = (b - a for a, b in zip(before, now, strict=True))
        elapsed_s = max(at_s, 1e-6)
        memory = psutil.virtual_memory()
        return {
            # The kernel counts in ticks, so that a second may have a few too many.
            "cpu_percent": 100 * min(busy_s / elapsed_s, self._cores),
            "steal_percent": 100 * stolen_s / elapsed_s / self._cores,
            "pressure_percent": 100 * stalled_s[0] / elapsed_s,
            "memory_pressure_percent": 100 * stalled_s[1] / elapsed_s,
            "disk_pressure_percent": 100 * stalled_s[2] / elapsed_s,
            "cores": float(self._cores),
            "load_1m": os.getloadavg()[0],
            "memory_used_bytes": float(memory.total - memory.available),
            "memory_total_bytes": float(memory.total),
            **self._network.read(),
        }

    @staticmethod
    def _counters() -> tuple[float, ...]:
        """The time, and seconds of all cores: busy, stolen; and stalled for want of a core, of memory, of the disk."""
        times = psutil.cpu_times()  # user time contains that of guests
        interrupts = getattr(times, "irq", 0.0) + getattr(times, "softirq", 0.0)
        busy = times.user + times.nice + times.system + interrupts
        stalled = (_stalled_s(resource) for resource in ("cpu", "memory", "io"))
        return time.monotonic(), busy, getattr(times, "steal", 0.0), *stalled


def _stalled_s(resource: str) -> float:
    """How long some process waited for it (Documentation/accounting/psi.rst); 0 where the kernel does not say."""
    try:
        some = (_PRESSURE / resource).read_text().split("\n", 1)[0]
        return int(some.rpartition("total=")[2]) / 1e6
    except (OSError, ValueError):
        return 0.0

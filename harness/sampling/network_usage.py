"""What the whole machine sends and receives, loopback included, and what TCP had to send again."""

from __future__ import annotations

import time
from pathlib import Path

import psutil

_SNMP = Path("/proc/net/snmp")


class NetworkMeter:
    """Rates since the last call, so it is called once before the first reading."""

    def __init__(self) -> None:
        self._before = self._counters()

    def read(self) -> dict[str, float]:
        """Values by name; ``retransmits_per_s`` is 0 where the kernel does not say."""
        before, now = self._before, self._counters()
        self._before = now
        elapsed_s, received, sent, again = (b - a for a, b in zip(before, now, strict=True))
        per_s = 1 / max(elapsed_s, 1e-6)
        return {
            "received_bytes_per_s": max(0.0, received * per_s),  # an interface that is removed takes its count with it
            "sent_bytes_per_s": max(0.0, sent * per_s),
            "retransmits_per_s": max(0.0, again * per_s),
        }

    @staticmethod
    def _counters() -> tuple[float, float, float, float]:
        counters = psutil.net_io_counters(nowrap=False)
        received, sent = (counters.bytes_recv, counters.bytes_sent) if counters else (0, 0)
        return time.monotonic(), received, sent, retransmitted(_SNMP)


def retransmitted(file: Path) -> int:
    """How many segments TCP has sent again (RFC 4022, ``tcpRetransSegs``)."""
    try:
        names, values = (line.split() for line in file.read_text().splitlines() if line.startswith("Tcp:"))
        return int(values[names.index("RetransSegs")])
    except (OSError, ValueError):
        return 0

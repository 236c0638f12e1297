"""What each gate observed, whether it held, and the verdict."""

from harness.gates.judge import judge
from harness.gates.live import GateWatch, LiveGate, failed_beyond_recovery, live_status

__all__ = ["GateWatch", "LiveGate", "failed_beyond_recovery", "judge", "live_status"]

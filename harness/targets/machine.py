"""How fit this machine is for measuring: cores, frequency scaling, other load, time taken by the hypervisor."""

from __future__ import annotations

import math
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import psutil

from harness.messages import Message, message
from harness.record.notice import Notice

_GOVERNOR = Path("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor")
_QUOTA = Path("/sys/fs/cgroup/cpu.max")
_STEADY_GOVERNORS = {"performance", "schedutil"}
_MAX_STEAL_PERCENT = 1.0
_STEAL_WINDOW_S = 0.2
_MAX_LOAD_PER_CORE = 0.5


Level = Literal["ok", "warn", "fail"]


@dataclass(frozen=True, slots=True)
class CheckResult:
    """The result of one check. ``warn``: figures are less good, or some are missing; ``fail``: no run is possible.

    The hint of ``text`` says how to get to ``ok``, if there is a way.
    """

    name: str
    level: Level
    text: Message

    def named(self) -> Message:
        """The text after the name of the check: ``other load: load average …``."""
        return Message(self.text.code, self.text.params, f"{self.name}: {self.text}")

    def as_json(self) -> dict[str, Any]:
        """The public form of ``harness doctor --json``."""
        notice = Notice.of(self.text)
        return {
            "name": self.name,
            "level": self.level,
            "text": notice.text,
            "mend": self.text.hint() or "",
            "code": notice.code,
            "params": notice.params,
        }


def usable_cores() -> int:
    """Cores that this process may run on: its affinity, and the control group's quota rounded up."""
    allowed, quota = len(os.sched_getaffinity(0)), _quota_cores()
    return allowed if quota is None else max(1, min(allowed, math.ceil(quota)))


def quietness() -> list[CheckResult]:
    """What about this machine makes figures vary. Takes 0.2 s."""
    return [_cores(), _governor(), _load(), _steal()]


def _cores() -> CheckResult:
    cores = usable_cores()
    quota = _quota_cores()
    if quota is not None and quota < (os.cpu_count() or 1):
        return CheckResult("cores", "warn", message("machine-quota", quota=quota))
    if cores < 2:
        return CheckResult("cores", "warn", message("machine-one-core"))
    return CheckResult("cores", "ok", message("machine-cores", cores=cores))


def _quota_cores() -> float | None:
    try:
        limit, period = _QUOTA.read_text().split()
    except (OSError, ValueError):
        return None  # no control group of version 2 limits this process
    return None if limit == "max" else int(limit) / int(period)


def _governor() -> CheckResult:
    try:
        governor = _GOVERNOR.read_text().strip()
    except OSError:
        return CheckResult("CPU frequency", "ok", message("machine-frequency-fixed"))
    if governor in _STEADY_GOVERNORS:
        return CheckResult("CPU frequency", "ok", message("machine-governor", governor=governor))
    return CheckResult("CPU frequency", "warn", message("machine-governor-unsteady", governor=governor))


def _load() -> CheckResult:
    load = os.getloadavg()[0]
    cores = usable_cores()
    if load <= _MAX_LOAD_PER_CORE * cores:
        return CheckResult("other load", "ok", message("machine-load", load=load, cores=cores))
    return CheckResult("other load", "warn", message("machine-busy", load=load, cores=cores))


def _steal() -> CheckResult:
    percent = psutil.cpu_times_percent(interval=_STEAL_WINDOW_S).steal
    if percent <= _MAX_STEAL_PERCENT:
        return CheckResult("stolen time", "ok", message("machine-steal", percent=percent))
    return CheckResult("stolen time", "warn", message("machine-steals", percent=percent))

"""How well a machine is fit to measure on: cores, frequency scaling, other load, time stolen by the hypervisor."""

from __future__ import annotations

import math
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import psutil

_GOVERNOR = Path("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor")
_QUOTA = Path("/sys/fs/cgroup/cpu.max")
_STEADY_GOVERNORS = {"performance", "schedutil"}
_MOST_STEAL_PERCENT = 1.0
_STEAL_WINDOW_S = 0.2
_MOST_LOAD_A_CORE = 0.5


Level = Literal["ok", "warn", "fail"]


@dataclass(frozen=True, slots=True)
class CheckResult:
    """One thing looked at. ``warn``: figures are less good, or some are missing; ``fail``: no run can be made.

    ``remedy`` says how to get to ``ok``, where there is a way.
    """

    name: str
    level: Level
    text: str
    remedy: str = ""

    def as_json(self) -> dict[str, str]:
        """The public form of ``harness doctor --json``."""
        return {"name": self.name, "level": self.level, "text": self.text, "mend": self.remedy}


def usable_cores() -> int:
    """Cores that this process may run on: its affinity, and the control group's quota rounded up."""
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    quota = _quota_cores()
    return allowed if quota is None else max(1, min(allowed, math.ceil(quota)))


def quietness() -> list[CheckResult]:
    """What about this machine makes figures swing; takes 0.2 s to watch it."""
    return [_cores(), _governor(), _load(), _steal()]


def _cores() -> CheckResult:
    cores = usable_cores()
    quota = _quota_cores()
    if quota is not None and quota < (os.cpu_count() or 1):
        return CheckResult(
            "cores", "warn", f"a quota of {quota:g} cores: when it is used up, all stands still for a while"
        )
    if cores < 2:
        return CheckResult(
            "cores", "warn", "one core: target and load generator take it from each other", "Use a machine with two."
        )
    return CheckResult("cores", "ok", f"{cores} cores")


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
        return CheckResult("CPU frequency", "ok", "not scaled by this system (or not visible here)")
    if governor in _STEADY_GOVERNORS:
        return CheckResult("CPU frequency", "ok", f"governor {governor}")
    return CheckResult(
        "CPU frequency",
        "warn",
        f"governor {governor}: the clock changes with the load",
        "sudo cpupower frequency-set --governor performance",
    )


def _load() -> CheckResult:
    load = os.getloadavg()[0]
    cores = usable_cores()
    text = f"load average {load:.1f} on {cores} cores"
    if load <= _MOST_LOAD_A_CORE * cores:
        return CheckResult("other load", "ok", text)
    return CheckResult(
        "other load", "warn", f"{text}: something else runs here", "`top` shows it; stop it, or wait a minute."
    )


def _steal() -> CheckResult:
    steal = psutil.cpu_times_percent(interval=_STEAL_WINDOW_S)
    percent = float(getattr(steal, "steal", 0.0))  # only Linux counts it
    if percent <= _MOST_STEAL_PERCENT:
        return CheckResult("stolen time", "ok", f"{percent:.1f} % taken by the hypervisor")
    return CheckResult(
        "stolen time",
        "warn",
        f"{percent:.1f} % taken by the hypervisor: other guests share these cores",
        "Use dedicated cores for figures that matter.",
    )

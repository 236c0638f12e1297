"""How fit this machine is for measuring: cores, frequency scaling, other load, steal time."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass
from heapq import nlargest
from pathlib import Path
from typing import Any, Literal, NamedTuple

import psutil

from harness.messages import Message, message
from harness.record.notice import Notice

_GOVERNOR = Path("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor")
_QUOTA = Path("/sys/fs/cgroup/cpu.max")
_STEADY_GOVERNORS = {"performance", "schedutil"}
_MAX_STEAL_PERCENT = 1.0
_LOOK_S = 0.3
_MAX_OTHERS_CORES = 0.2
"""What others use while the load runs is noticed from there on, too (:mod:`harness.analysis.contamination`)."""
_MOST_NAMED = 3
_LEAST_NAMED = 0.05
"""Cores. Less would read 0.0."""


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
        """The text after the name of the check: ``other load: other processes use …``."""
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
    """What about this machine makes figures vary. Takes 0.3 s.

    The load average would do for other load, but for a minute it remembers what has ended, as the run before this one.
    """
    before = _used()
    stolen_percent = psutil.cpu_times_percent(interval=_LOOK_S).steal
    return [_cores(), _governor(), _others(cores_by_name(before, _used())), _steal(stolen_percent)]


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


class Used(NamedTuple):
    """What a process had used when it was looked at."""

    name: str
    cpu_s: float
    at_s: float


def _used() -> dict[int, Used]:
    """What each process has used that neither is the harness nor was started by it."""
    harness = psutil.Process()
    own = {harness.pid, *(child.pid for child in harness.children(recursive=True))}
    return {
        process.pid: Used(process.info["name"], sum(process.info["cpu_times"][:2]), time.monotonic())
        for process in psutil.process_iter(["name", "cpu_times"])  # without its children's
        if process.pid not in own and process.info["cpu_times"] is not None
    }


def cores_by_name(before: Mapping[int, Used], after: Mapping[int, Used]) -> dict[str, float]:
    """How many cores processes of each name used between two looks.

    On a busy machine, a look takes longer than planned, and later for some processes than for others.
    """
    by_name: dict[str, float] = {}
    for pid in before.keys() & after.keys():
        then, now = before[pid], after[pid]
        cores = max(0.0, now.cpu_s - then.cpu_s) / (now.at_s - then.at_s)
        by_name[now.name] = by_name.get(now.name, 0.0) + cores
    return by_name


def _others(by_name: Mapping[str, float]) -> CheckResult:
    used = sum(by_name.values())
    if used <= _MAX_OTHERS_CORES:
        return CheckResult("other load", "ok", message("machine-load", used=used))
    names = nlargest(_MOST_NAMED, by_name, key=by_name.__getitem__)
    most = [f"{name} {by_name[name]:.1f}" for name in names if by_name[name] >= _LEAST_NAMED]
    return CheckResult("other load", "warn", message("machine-busy", used=used, most=most))


def _steal(percent: float) -> CheckResult:
    if percent <= _MAX_STEAL_PERCENT:
        return CheckResult("stolen time", "ok", message("machine-steal", percent=percent))
    return CheckResult("stolen time", "warn", message("machine-steals", percent=percent))

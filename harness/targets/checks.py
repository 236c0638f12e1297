"""Checks of this machine for ``harness doctor``. Each one really tries what a run needs."""

from __future__ import annotations

import os
import platform
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from harness.errors import HarnessError
from harness.messages import Message, Option, message
from harness.targets import health, machine
from harness.targets.agent_client import Agent, AgentError, agent_environment, agents_in
from harness.targets.machine import CheckResult, Level
from harness.targets.supervised_process import SupervisedProcess

_FEW_FILES, _TOO_FEW_FILES = 4096, 256
_LITTLE_DISK_GIB, _TOO_LITTLE_DISK_GIB = 2.0, 0.1
_PROBE_TIMEOUT_S = 15.0
_OUT = Option("out", "DIR")


def check_machine(reports: Path) -> list[CheckResult]:
    """All checks, in the order to read them; takes about two seconds. ``reports`` is where run folders will be."""
    return [
        CheckResult("Python", "ok", _python()),
        check_files(resource.getrlimit(resource.RLIMIT_NOFILE)),
        check_loopback(),
        check_folder(reports),
        check_disk(reports),
        *check_sampling(),
        *machine.quietness(),
    ]


def _python() -> Message:
    return message("python-version", version=platform.python_version(), implementation=platform.python_implementation())


def check_files(limits: tuple[int, int]) -> CheckResult:
    """Whether enough connections can be open at once; ``limits`` are the soft and the hard one."""
    soft, hard = (2**31 if limit == resource.RLIM_INFINITY else limit for limit in limits)
    if soft >= _FEW_FILES:
        return CheckResult("open files", "ok", message("files-limit", limit=soft))
    level: Level = "fail" if soft < _TOO_FEW_FILES else "warn"
    if hard <= soft:
        return CheckResult("open files", level, message("files-hard-limit-low", limit=soft))
    return CheckResult("open files", level, message("files-limit-low", limit=soft, possible=min(hard, 65536)))


def check_loopback() -> CheckResult:
    """Whether a loopback port can be listened on."""
    try:
        port = health.free_port()
    except OSError as error:
        text = message("loopback-unavailable", address=health.LOOPBACK, reason=str(error))
        return CheckResult("loopback", "fail", text)
    return CheckResult("loopback", "ok", message("loopback-port", port=port, address=health.LOOPBACK))


def check_folder(reports: Path) -> CheckResult:
    """Whether run folders can be made in ``reports``, or where it would be made."""
    try:
        with tempfile.TemporaryDirectory(dir=_existing(reports), prefix=".doctor-"):
            pass
    except OSError as error:
        text = message("reports-not-writable", folder=reports, reason=error.strerror, option=_OUT)
        return CheckResult("reports", "fail", text)
    return CheckResult("reports", "ok", message("reports-writable", folder=reports))


def check_disk(reports: Path) -> CheckResult:
    """Whether there is room for run folders."""
    free_gib = shutil.disk_usage(_existing(reports)).free / 2**30
    if free_gib < _TOO_LITTLE_DISK_GIB:
        return CheckResult("disk", "fail", message("disk-full", free_gib=free_gib, folder=reports, option=_OUT))
    if free_gib < _LITTLE_DISK_GIB:
        return CheckResult("disk", "warn", message("disk-low", free_gib=free_gib, folder=reports))
    return CheckResult("disk", "ok", message("disk-free", free_gib=free_gib, folder=reports))


def check_sampling() -> list[CheckResult]:
    """Try py-spy and memray on a small target that is started as a run would start one."""
    with tempfile.TemporaryDirectory(prefix="harness-doctor-") as name:
        folder = Path(name)
        environment = os.environ | agent_environment(folder, os.environ.get("PYTHONPATH"))
        command = [sys.executable, "-c", "import time; time.sleep(60)"]
        try:
            probe = SupervisedProcess(command, environment, folder / "log")
        except HarnessError as error:
            return [CheckResult("sampling", "fail", error.reason())]
        try:
            agent = _agent_in(folder)
            return [_py_spy(probe.pid), _memray(agent, folder / "trace.bin")]
        finally:
            probe.stop(0.0)


def _agent_in(folder: Path) -> Agent | None:
    deadline = time.monotonic() + _PROBE_TIMEOUT_S
    while time.monotonic() < deadline:
        if agents := agents_in(folder):
            return agents[0]
        time.sleep(0.02)
    return None


def _py_spy(pid: int) -> CheckResult:
    program = Path(sys.executable).parent / "py-spy"
    if not program.exists():
        return CheckResult("CPU profiles", "warn", message("py-spy-missing"))
    try:
        tried = subprocess.run(
            [str(program), "dump", "--nonblocking", "--pid", str(pid)],
            capture_output=True,
            text=True,
            timeout=_PROBE_TIMEOUT_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return CheckResult("CPU profiles", "warn", message("py-spy-broken", reason=str(error)))
    if tried.returncode == 0:
        return CheckResult("CPU profiles", "ok", _py_spy_scope())
    output = tried.stderr.strip()
    if "permission denied" in output.lower() or "operation not permitted" in output.lower():
        return CheckResult("CPU profiles", "warn", message("py-spy-no-permission"))
    reason = output.splitlines()[0] if output else f"exit status {tried.returncode}"
    return CheckResult("CPU profiles", "warn", message("py-spy-broken", reason=reason))


def _py_spy_scope() -> Message:
    try:
        scope = Path("/proc/sys/kernel/yama/ptrace_scope").read_text().strip()
    except OSError:
        scope = ""
    if scope == "1" and os.geteuid() != 0:
        return message("py-spy-managed-only", option=Option("pid"))
    return message("py-spy-works")


def _memray(agent: Agent | None, trace: Path) -> CheckResult:
    if agent is None:
        return CheckResult("memory profiles", "warn", message("memray-no-agent"))
    try:
        agent.start(trace)
        agent.stop()
    except AgentError as error:
        return CheckResult("memory profiles", "warn", message("memray-broken", reason=str(error)))
    if not trace.stat().st_size:
        return CheckResult("memory profiles", "warn", message("memray-wrote-nothing"))
    return CheckResult("memory profiles", "ok", message("memray-works"))


def _existing(folder: Path) -> Path:
    folder = folder.absolute()
    return next(each for each in (folder, *folder.parents) if each.exists())

"""Is this machine fit for measuring? Each check really tries what a run needs, and says how to mend what fails."""

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
from harness.targets import health, machine
from harness.targets.agent_client import Agent, AgentError, agent_environment, agents_in
from harness.targets.machine import CheckResult
from harness.targets.supervised_process import SupervisedProcess

_MIN_PYTHON = (3, 11)
_FEW_FILES, _TOO_FEW_FILES = 4096, 256
_LITTLE_DISK, _TOO_LITTLE_DISK = 2 * 2**30, 100 * 2**20
_PROBE_TIMEOUT_S = 15.0
_PTRACE_REMEDY = (
    "sudo sysctl kernel.yama.ptrace_scope=0; in a container: --cap-add SYS_PTRACE; or run the harness with sudo"
)


def check_machine(reports: Path) -> list[CheckResult]:
    """All checks, in the order to read them; takes about two seconds. ``reports`` is where run folders are to land."""
    return [
        check_python(sys.version_info[:3]),
        check_files(resource.getrlimit(resource.RLIMIT_NOFILE)),
        check_loopback(),
        check_folder(reports),
        check_disk(reports),
        *check_sampling(),
        *machine.quietness(),
    ]


def check_python(version: tuple[int, int, int]) -> CheckResult:
    """Whether this Python is one that the harness supports."""
    text = f"{'.'.join(map(str, version))} ({platform.python_implementation()})"
    if version < _MIN_PYTHON:
        return CheckResult("Python", "fail", text, "Install Python 3.11 or newer.")
    return CheckResult("Python", "ok", text)


def check_files(limits: tuple[int, int]) -> CheckResult:
    """Whether as many connections as a load needs can be open; ``limits`` are the soft and the hard one."""
    soft, hard = (2**31 if limit == resource.RLIM_INFINITY else limit for limit in limits)
    text = f"{soft} may be open at once"
    level = "fail" if soft < _TOO_FEW_FILES else "warn" if soft < _FEW_FILES else "ok"
    if level == "ok":
        return CheckResult("open files", "ok", text)
    more = min(hard, 65536)
    remedy = f"ulimit -n {more}" if more > soft else "raise `nofile` in /etc/security/limits.conf and log in again"
    return CheckResult("open files", "fail" if level == "fail" else "warn", f"{text}: one a user is needed", remedy)


def check_loopback() -> CheckResult:
    """Whether a port of this machine can be listened on and reached."""
    try:
        port = health.free_port()
    except OSError as error:
        return CheckResult(
            "loopback", "fail", f"no port of {health.LOOPBACK} can be had: {error}", "sudo ip link set lo up"
        )
    return CheckResult("loopback", "ok", f"port {port} of {health.LOOPBACK} is free")


def check_folder(reports: Path) -> CheckResult:
    """Whether run folders can be made in ``reports``, or where it would be made."""
    try:
        with tempfile.TemporaryDirectory(dir=_existing(reports), prefix=".doctor-"):
            pass
    except OSError as error:
        return CheckResult(
            "reports", "fail", f"{reports} cannot be written: {error.strerror}", "Give another folder: --out DIR"
        )
    return CheckResult("reports", "ok", f"{reports} can be written")


def check_disk(reports: Path) -> CheckResult:
    """Whether there is room for run folders."""
    free = shutil.disk_usage(_existing(reports)).free
    text = f"{free / 2**30:.1f} GiB free for {reports}"
    if free < _TOO_LITTLE_DISK:
        return CheckResult("disk", "fail", text, "Make room, or give a folder on another disk: --out DIR")
    if free < _LITTLE_DISK:
        return CheckResult("disk", "warn", text, "A long run with memory traces may need a GiB.")
    return CheckResult("disk", "ok", text)


def check_sampling() -> list[CheckResult]:
    """py-spy and memray, tried on a small target of our own that is started as a run would start one."""
    with tempfile.TemporaryDirectory(prefix="harness-doctor-") as name:
        folder = Path(name)
        environment = os.environ | agent_environment(folder, os.environ.get("PYTHONPATH"))
        command = [sys.executable, "-c", "import time; time.sleep(60)"]
        try:
            probe = SupervisedProcess(command, environment, folder / "log")
        except HarnessError as error:
            return [CheckResult("sampling", "fail", error.message)]
        try:
            agent = _agent_of(folder)
            return [_py_spy(probe.pid), _memray(agent, folder / "trace.bin")]
        finally:
            probe.stop(0.0)


def _agent_of(folder: Path) -> Agent | None:
    deadline = time.monotonic() + _PROBE_TIMEOUT_S
    while time.monotonic() < deadline:
        if agents := agents_in(folder):
            return agents[0]
        time.sleep(0.02)
    return None


def _py_spy(pid: int) -> CheckResult:
    program = Path(sys.executable).parent / "py-spy"
    if not program.exists():
        return CheckResult("CPU profiles", "warn", "py-spy is not installed beside this Python", "pip install py-spy")
    try:
        tried = subprocess.run(
            [str(program), "dump", "--nonblocking", "--pid", str(pid)],
            capture_output=True,
            text=True,
            timeout=_PROBE_TIMEOUT_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return CheckResult(
            "CPU profiles", "warn", f"py-spy does not work: {error}", "pip install --force-reinstall py-spy"
        )
    if tried.returncode == 0:
        return CheckResult("CPU profiles", "ok", "py-spy may look into a target" + _scope_note())
    said = tried.stderr.strip()
    if "permission denied" in said.lower() or "operation not permitted" in said.lower():
        return CheckResult(
            "CPU profiles", "warn", "py-spy may not look into a target (no ptrace permission)", _PTRACE_REMEDY
        )
    reason = said.splitlines()[0] if said else f"it ended with {tried.returncode}"
    return CheckResult("CPU profiles", "warn", f"py-spy does not work: {reason}")


def _scope_note() -> str:
    try:
        scope = Path("/proc/sys/kernel/yama/ptrace_scope").read_text().strip()
    except OSError:
        return ""
    if scope == "1" and os.geteuid() != 0:
        return " that the harness starts; for --pid: sudo sysctl kernel.yama.ptrace_scope=0"
    return ""


def _memray(agent: Agent | None, trace: Path) -> CheckResult:
    if agent is None:
        return CheckResult("memory profiles", "warn", "the memory agent did not start in a Python of this environment")
    try:
        agent.start(trace)
        agent.stop()
    except AgentError as error:
        return CheckResult("memory profiles", "warn", str(error), "pip install memray (Linux and macOS only)")
    if not trace.stat().st_size:
        return CheckResult("memory profiles", "warn", "memray ran, but wrote nothing", "pip install -U memray")
    return CheckResult("memory profiles", "ok", "memray traces a target")


def _existing(folder: Path) -> Path:
    folder = folder.absolute()
    while not folder.exists():
        folder = folder.parent
    return folder

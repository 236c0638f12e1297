"""Records what a run is made on: machine, versions, commits, and doubts about the machine."""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import platform
import re
import socket
import subprocess
from pathlib import Path

import psutil

from harness.plan.model.run import RunPlan
from harness.plan.model.target import AttachedTarget, CommandTarget, ShopTarget
from harness.record.environment import Environment
from harness.record.notice import Notice
from harness.targets import machine

_PACKAGES = ("harness", "locust", "gevent", "py-spy", "memray")
_BENCH_PACKAGES = ("harness", "pytest", "pytest-benchmark", "py-spy", "memray")
_GIT_TIMEOUT_S = 10.0


def capture_environment(plan: RunPlan, scenario_path: Path) -> Environment:
    """This machine now, for a redacted ``plan``. What is unknown, for want of git or a sensor, is left out."""
    commits = git_commit(scenario_path.parent), _target_commit(plan)
    return _capture(plan.target.kind, plan.all_workers, _PACKAGES, commits, _describe(plan))


def capture_bench_environment(folder: Path) -> Environment:
    """As :func:`capture_environment`, for a benchmark suite of the project in ``folder``."""
    return _capture("bench", 0, _BENCH_PACKAGES, (git_commit(folder),) * 2, f"functions of {folder}")


def _capture(
    kind: str, workers: int, packages: tuple[str, ...], commits: tuple[str | None, str | None], target: str
) -> Environment:
    """``commits`` are the scenario's and the target's."""
    cores = machine.usable_cores()
    memory_bytes = psutil.virtual_memory().total
    release = ".".join(platform.release().split(".")[:2])
    system = f"{platform.system()} {release} {platform.machine()}"
    processor = _processor()
    doubts = [result.named() for result in machine.quietness() if result.level != "ok"]
    deciding = {
        "processor": processor,
        "cores": cores,
        "memory_gib": round(memory_bytes / 2**30),  # kernels reserve a little more or less of it
        "system": system,
        "python": platform.python_version(),
        "target": kind,
        "workers": workers,
    }
    return Environment(
        fingerprint=hashlib.sha256(json.dumps(deciding, sort_keys=True).encode()).hexdigest()[:12],
        host=socket.gethostname(),
        processor=processor,
        cores=cores,
        memory_bytes=memory_bytes,
        system=system,
        python=platform.python_version(),
        versions={name: version for name in packages if (version := _version(name))},
        scenario_commit=commits[0],
        target_commit=commits[1],
        target=target,
        notes=[str(doubt) for doubt in doubts],
        notices=[Notice.of(doubt) for doubt in doubts],
    )


def git_commit(folder: Path) -> str | None:
    """Commit of the checkout that holds ``folder``, with a ``+`` if files differ; None outside git."""
    head = _git(folder, "rev-parse", "--short=12", "HEAD")
    if head is None:
        return None
    changes = _git(folder, "status", "--porcelain", "--untracked-files=no")
    return f"{head}+" if changes else head


def _git(folder: Path, *arguments: str) -> str | None:
    # Optional locks off: this must not disturb what the user does in the checkout.
    try:
        done = subprocess.run(
            ["git", "--no-optional-locks", "-C", str(folder), *arguments],
            capture_output=True,
            text=True,
            timeout=_GIT_TIMEOUT_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None  # no git, or it hangs: the commit is unknown, and the run continues
    return done.stdout.strip() if done.returncode == 0 else None


def _target_commit(plan: RunPlan) -> str | None:
    match plan.target:
        case ShopTarget():
            return git_commit(Path(__file__).parent)
        case CommandTarget():
            return git_commit(Path.cwd())
        case AttachedTarget(pid=pid):
            try:
                return None if pid is None else git_commit(Path(psutil.Process(pid).cwd()))
            except psutil.Error:  # another user's process, or one that has ended
                return None


def _describe(plan: RunPlan) -> str:
    match plan.target:
        case ShopTarget(environment=environment):
            return "the embedded shop" + "".join(f" {name}={value}" for name, value in sorted(environment.items()))
        case CommandTarget(command=command):
            return command
        case AttachedTarget(url=url, pid=pid):
            return url if pid is None else f"{url} (process {pid})"


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def _processor() -> str:
    model = re.search(r"^model name\s*:\s*(.+)$", Path("/proc/cpuinfo").read_text(errors="replace"), re.MULTILINE)
    return model[1].strip() if model else platform.machine()  # ARM's kernels name none

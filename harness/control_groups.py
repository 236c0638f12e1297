"""The control groups of a process (cgroups(7)), of versions 1 and 2, and the CPU quotas that they set."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path, PurePosixPath

ROOT = Path("/sys/fs/cgroup")


def groups_of(pid: int | str, proc: Path = Path("/proc")) -> list[tuple[list[str], PurePosixPath]]:
    """Of each hierarchy its controllers (version 2: none) and the path of the process's group below its mount.

    Empty if the process has ended, or the kernel does not say.
    """
    try:
        lines = (proc / f"{pid}/cgroup").read_text().splitlines()
    except OSError:
        return []
    parts = (line.split(":", 2) for line in lines)
    return [(controllers.split(",") if controllers else [], PurePosixPath(path[1:])) for _, controllers, path in parts]


def quota_files(pid: int | str, proc: Path = Path("/proc"), root: Path = ROOT) -> Iterator[Path]:
    """``cpu.stat`` of a process's control group and of all its ancestors, each of which may have a quota.

    In a container, the group's path may be the host's and not exist: then the root of the mount is the group.
    """
    for controllers, group in groups_of(pid, proc):
        if controllers and "cpu" not in controllers:
            continue
        mount = root / "cpu" if controllers else root
        for group_path in (group, *group.parents) if group.parts else (group,):
            file = mount / group_path / "cpu.stat"
            if file.is_file() and "throttled_" in file.read_text():
                yield file


def throttled_s(path: Path) -> float:
    """Seconds since the group was made: ``throttled_usec`` (version 2) or ``throttled_time`` (1, nanoseconds)."""
    try:
        figures = dict(line.split() for line in path.read_text().splitlines())
    except OSError:
        return 0.0  # the group was removed
    return int(figures.get("throttled_usec", 0)) / 1e6 + int(figures.get("throttled_time", 0)) / 1e9

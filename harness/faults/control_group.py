"""The control group of a process: its limits, and whether another process may join it."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from harness.control_groups import ROOT, groups_of

_PROCESSES = "cgroup.procs"
_OF_VERSION_2 = "cgroup.controllers"
_UNLIMITED = 1 << 60
_USED = ("cpu", "memory")
"""Controllers of version 1 that pressure is about."""


@dataclass(frozen=True)
class ControlGroup:
    """Folders of a process's group: one in version 2, one for each controller in version 1."""

    folders: frozenset[Path]

    @classmethod
    def of(cls, pid: int) -> ControlGroup | None:
        """The group of a process; None if it has ended, or this machine shows none."""
        folders = set()
        for controllers, path in groups_of(pid):
            parents = [ROOT / name for name in controllers if name in _USED] if controllers else [ROOT]
            folders |= {parent / path for parent in parents}
        found = frozenset(folder for folder in folders if (folder / _PROCESSES).exists())
        return cls(found) if found else None

    @property
    def may_be_joined(self) -> bool:
        """In version 2, whoever moves a process needs the group above both, too (cgroups(7), *Delegation*)."""
        own = ControlGroup.of(os.getpid())
        pairs = [(to, here) for to in self.folders for here in (own.folders if own is not None else ())]
        above = [Path(os.path.commonpath(pair)) for pair in pairs if (pair[0] / _OF_VERSION_2).exists()]
        return all(os.access(folder / _PROCESSES, os.W_OK) for folder in (*self.folders, *above))

    def join(self, pid: int) -> None:
        """Move a process into the group. Raises ``OSError``."""
        for folder in self.folders:
            (folder / _PROCESSES).write_text(f"{pid}\n")

    @property
    def free_memory(self) -> int | None:
        """Bytes up to the group's limit; None without one."""
        for limit, used in (("memory.max", "memory.current"), ("memory.limit_in_bytes", "memory.usage_in_bytes")):
            most, now = self._number(limit), self._number(used)
            if most is not None and now is not None and most < _UNLIMITED:
                return max(0, most - now)
        return None

    def _number(self, file: str) -> int | None:
        for folder in self.folders:
            try:
                return int((folder / file).read_text())
            except (OSError, ValueError):  # not of this version or controller, or "max"
                continue
        return None

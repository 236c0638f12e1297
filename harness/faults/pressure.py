"""``pressure``: uses up cores, memory or disk of the machine or of the target's control group."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from select import POLLIN, poll
from typing import Any, ClassVar, Literal, Self

from pydantic import StrictStr, model_validator

from harness.errors import HarnessError, InvalidValue
from harness.faults import pressing
from harness.faults.amounts import ShareOrBytes, bytes_of
from harness.faults.control_group import ControlGroup
from harness.faults.fault import Fault
from harness.faults.place import Place
from harness.messages import Message, message
from harness.quantities import Share

MOST_MEMORY, MOST_DISK = 0.9, 0.95
"""The largest share taken of what is available when the fault begins."""
LEAST_MEMORY, LEAST_DISK = 256 << 20, 1 << 30
"""Bytes that always stay free."""
_READY_S = 25.0
_IN_MEMORY = ("tmpfs", "ramfs")

_running: dict[str, list[subprocess.Popen[bytes]]] = {}
"""By what they press; they end with this process."""
_changing = threading.Lock()


class PressureFault(Fault):
    """``cpu`` is a share of all cores, ``memory`` and ``disk`` a share of what is available, or a size."""

    kind = "pressure"
    synonyms: ClassVar[Mapping[str, str]] = {
        "on": "of", "cores": "cpu", "ram": "memory", "mem": "memory", "path": "folder", "directory": "folder",
    }  # fmt: skip
    strength = ("cpu", "memory", "disk")

    of: Literal["machine", "target"] = "machine"
    """``target``: its control group."""
    cpu: Share | None = None
    memory: ShareOrBytes | None = None
    disk: ShareOrBytes | None = None
    folder: StrictStr | None = None
    """Whose disk; by default that of temporary files."""

    @model_validator(mode="after")
    def _makes_sense(self) -> Self:
        if self.cpu is None and self.memory is None and self.disk is None:
            raise InvalidValue("fault-pressure-without-effect")
        if self.folder is not None and self.disk is None:
            raise InvalidValue("fault-folder-without-disk", key="folder")
        if self.disk is not None and self.of == "target":
            raise InvalidValue("fault-disk-of-target", key="disk")
        return self

    @property
    def thing(self) -> str:
        return f"pressure on the {self.of}"

    @property
    def by_hand(self) -> Message:
        return message("fault-undo-pressure", program=Path(pressing.__file__).name)

    def check(self, place: Place) -> None:
        self._group(place)
        if self.memory is not None:
            self._memory(place)
        if self.disk is not None:
            self._disk()

    def begin(self, place: Place) -> None:
        group = self._group(place)
        orders: list[tuple[str, dict[str, Any]]] = []
        if self.memory is not None:
            orders.append(("memory", {"size": self._memory(place), "floor": LEAST_MEMORY}))
        if self.disk is not None:
            orders.append(("disk", {"folder": self._folder, "size": self._disk()}))
        if self.cpu is not None:  # last: it would delay the others, in a control group with a quota for seconds
            orders += [("cpu", {"share": self.cpu})] * len(os.sched_getaffinity(0))
        for kind, settings in orders:
            self._press(kind, settings, group)

    def end(self, place: Place) -> None:  # noqa: ARG002
        with _changing:
            processes = _running.pop(self.thing, [])
        for process in processes:
            process.kill()
            process.wait()
            for stream in (process.stdin, process.stdout):
                if stream is not None:
                    stream.close()

    def require_active(self, place: Place) -> None:  # noqa: ARG002
        with _changing:
            processes = [*_running.get(self.thing, ())]
        for process in processes:
            if process.poll() is not None:  # the kernel has killed it, say, since memory ran out
                raise HarnessError("fault-pressure-ended", status=process.returncode)

    def _press(self, kind: str, settings: dict[str, Any], group: ControlGroup | None) -> None:
        process = subprocess.Popen(
            [sys.executable, "-I", "-S", pressing.__file__, kind, json.dumps(settings)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        with _changing:
            _running.setdefault(self.thing, []).append(process)
        assert process.stdin is not None
        assert process.stdout is not None
        if group is not None:
            try:
                group.join(process.pid)
            except OSError as error:
                raise HarnessError("fault-control-group-closed", reason=error.strerror) from error
        with suppress(BrokenPipeError):  # it says why
            process.stdin.write(b"\n")
            process.stdin.flush()
        waiter = poll()  # not select, which knows only the first 1,024 files
        waiter.register(process.stdout, POLLIN)
        said = process.stdout.readline().decode().strip() if waiter.poll(_READY_S * 1000) else ""
        if said != "ready":
            raise HarnessError("fault-pressure-failed", what=kind, reason=said or "it does not respond")

    def _group(self, place: Place) -> ControlGroup | None:
        """The target's control group, if that is what is pressed; raises if it has none of its own, or it is closed."""
        if self.of == "machine":
            return None
        first = next((process for target in place.targets for process in place.processes_of(target)), None)
        group = None if first is None else ControlGroup.of(first.pid)
        if group is None or group == ControlGroup.of(os.getpid()):
            raise HarnessError("fault-control-group-none")
        if not group.may_be_joined:
            raise HarnessError("fault-control-group-closed", reason=os.strerror(13))
        return group

    def _memory(self, place: Place) -> int:
        assert self.memory is not None
        group = self._group(place) or ControlGroup.of(os.getpid())
        of_group = None if group is None else group.free_memory
        of_machine = pressing.available()
        free = of_machine if of_group is None else min(of_group, of_machine)
        return _bounded("memory", self.memory, free, min(MOST_MEMORY * free, of_machine - LEAST_MEMORY))

    @property
    def _folder(self) -> str:
        return self.folder or tempfile.gettempdir()

    def _disk(self) -> int:
        assert self.disk is not None
        if "\0" in self._folder or not os.access(self._folder, os.W_OK | os.X_OK):
            raise HarnessError("fault-folder-not-writable", folder=self._folder)
        if _filesystem(self._folder) in _IN_MEMORY:
            raise HarnessError("fault-folder-in-memory", folder=self._folder)
        free = shutil.disk_usage(self._folder).free
        return _bounded("disk", self.disk, free, min(MOST_DISK * free, free - LEAST_DISK))


def _bounded(what: str, amount: str, free: int, most: float) -> int:
    """How many bytes to take of those that are free. Raises :class:`HarnessError` if that is more than ``most``."""
    size = bytes_of(amount, free)
    if size > most:
        most_mib = max(0, int(most)) >> 20
        raise HarnessError("fault-pressure-too-much", what=what, size_mib=size >> 20, most_mib=most_mib)
    return size


def _filesystem(folder: str) -> str:
    """The type of the file system that a folder is on."""
    device = Path(folder).stat().st_dev
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        before, _, after = line.partition(" - ")
        major, _, minor = before.split()[2].partition(":")
        if os.makedev(int(major), int(minor)) == device:
            return after.split()[0]
    return ""

"""Control groups of a test's own, and targets in them. They are removed at the end."""

from __future__ import annotations

import os
import subprocess
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from harness.control_groups import ROOT
from harness.faults.control_group import ControlGroup
from harness.faults.place import Place, TargetPlace
from tests.support.children import dying_with_the_tests, killed_at_end, wait_until
from tests.support.requirements import not_met, require_root


@contextmanager
def control_group(parent: Path) -> Iterator[Path]:
    """The folder of a new group below ``parent``. At the end its processes must end."""
    require_root()
    folder = parent / f"harness-test-{uuid.uuid4().hex}"
    try:
        folder.mkdir()
    except OSError as error:
        not_met(f"no control group may be made here: {error.strerror}")
    try:
        yield folder
    finally:
        wait_until(lambda: not (folder / "cgroup.procs").read_text(), what="the end of the group's processes")
        folder.rmdir()


@contextmanager
def memory_group(size: int) -> Iterator[Path]:
    """The folder of a group whose processes may have so many bytes.

    Skips the test also in CI if there is none: version 2 limits the memory of groups only if those above let it.
    """
    own = ControlGroup.of(os.getpid())
    parents = [*(own.folders if own is not None else ()), ROOT, ROOT / "memory"]
    parent = next((each for each in parents if _limits_memory(each)), None)
    if parent is None:
        pytest.skip("control groups have no limit of memory here")
    with control_group(parent) as folder:
        limits = (folder / "memory.max", folder / "memory.limit_in_bytes")
        next(limit for limit in limits if limit.exists()).write_text(str(size))
        yield folder


def _limits_memory(parent: Path) -> bool:
    """Whether groups below ``parent`` have a limit of memory (version 1, version 2)."""
    controllers = parent / "cgroup.subtree_control"
    return (parent / "memory.limit_in_bytes").exists() or (
        controllers.exists() and "memory" in controllers.read_text().split()
    )


@contextmanager
def target_in(group: Path) -> Iterator[Place]:
    """A run whose target is in a group."""
    with killed_at_end(subprocess.Popen(dying_with_the_tests(["sleep", "600"]))) as target:
        (group / "cgroup.procs").write_text(str(target.pid))
        yield Place(targets=(TargetPlace(url="", parent=target.pid),))

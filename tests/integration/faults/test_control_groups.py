"""Control groups of version 2. If the machine also uses version 1, a separate mount shows only version 2."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.control_groups import ROOT
from harness.faults.control_group import ControlGroup
from harness.faults.place import Place
from tests.support.control_groups import control_group, target_in
from tests.support.requirements import not_met, require_program

BESIDE_VERSION_1 = ROOT / "unified"
NOBODY = 65534

PRESSING = """
import sys
from pathlib import Path
from harness.errors import HarnessError
from harness.faults.place import Place
from harness.faults.pressure import PressureFault

fault, place = PressureFault(of="target", cpu=0.05), Place.model_validate_json(sys.argv[1])
try:
    fault.check(place)
    print("checked")
    fault.begin(place)
except HarnessError as error:
    print(error.code)
else:
    print(len(Path("/sys/fs/cgroup", sys.argv[2], "cgroup.procs").read_text().split()))
    fault.end(place)
"""


@pytest.fixture
def group() -> Iterator[tuple[Path, Place]]:
    """A group of version 2 with a target in it."""
    mount = next((each for each in (ROOT, BESIDE_VERSION_1) if (each / "cgroup.controllers").exists()), None)
    if mount is None:
        not_met("needs control groups of version 2")
    with control_group(mount) as folder, target_in(folder) as place:
        yield folder, place


def pressed(folder: Path, place: Place, *become: str) -> list[str]:
    """What :data:`PRESSING` prints where all control groups are of version 2."""
    words = [*become, sys.executable, "-c", PRESSING, place.model_dump_json(), folder.name]
    mount = f"mount --bind {BESIDE_VERSION_1} {ROOT} && " if folder.parent == BESIDE_VERSION_1 else ""
    run = [require_program("unshare", "util-linux"), "--mount", "sh", "-c", f'{mount}exec "$@"', "-", *words]
    done = subprocess.run(run, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


def test_what_presses_joins_the_group_of_the_target(group: tuple[Path, Place]) -> None:
    cores = len(os.sched_getaffinity(0))
    assert pressed(*group) == ["checked", str(1 + cores)]


def test_without_permission_for_the_group_above_the_run_is_rejected(group: tuple[Path, Place]) -> None:
    folder, place = group
    for file in (folder, folder / "cgroup.procs"):
        os.chown(file, NOBODY, NOBODY)
    become = (require_program("setpriv", "util-linux"), f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups")
    assert pressed(folder, place, *become) == ["fault-control-group-closed"]


@pytest.mark.parametrize(("most", "free"), [("1000\n", 400), ("max\n", None)])
def test_the_limit_of_version_2_is_read(most: str, free: int | None, tmp_path: Path) -> None:
    (tmp_path / "memory.max").write_text(most)
    (tmp_path / "memory.current").write_text("600\n")
    assert ControlGroup(frozenset([tmp_path])).free_memory == free

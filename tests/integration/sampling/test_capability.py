"""py-spy in a container: the Dockerfile gives its file the capability SYS_PTRACE, for users other than root."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from harness.sampling import die_with_parent
from harness.sampling.py_spy import has_capability
from tests.support.compose import dockerfile
from tests.support.requirements import require_program, require_root

SYS_PTRACE = "0100000200000800000000000000000000000000"
"""``struct vfs_cap_data`` of linux/capability.h: revision 2, effective; permitted: bit 19."""


@pytest.fixture
def py_spy(tmp_path: Path) -> str:
    """A copy of it on which the Dockerfile's own instruction has been run."""
    require_root()
    copy = tmp_path / "py-spy"
    shutil.copy(Path(sys.executable).with_name("py-spy"), copy)
    assert not has_capability(str(copy))
    (code,) = re.findall(r'^RUN \["python", "-c", "(.*)"\]$', "\n".join(dockerfile()), re.MULTILINE)
    subprocess.run([sys.executable, "-c", code.replace("/opt/harness/bin/py-spy", str(copy))], check=True)
    return str(copy)


def test_the_image_gives_the_file_the_one_capability(py_spy: str) -> None:
    assert has_capability(py_spy)
    assert os.getxattr(py_spy, "security.capability").hex() == SYS_PTRACE


def test_a_container_without_the_capability_is_reported(py_spy: str) -> None:
    command = [sys.executable, "-I", "-S", die_with_parent.__file__, str(os.getpid()), py_spy, "--version"]
    without = [require_program("setpriv", "util-linux"), "--bounding-set", "-sys_ptrace", *command]
    done = subprocess.run(without, capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, "--cap-add SYS_PTRACE" in done.stderr) == (1, True)
    assert "Traceback" not in done.stderr

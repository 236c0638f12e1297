"""What tests require of their machine: outside programs, root, permissions.

At a desk, a test whose requirement is not met is skipped. In CI (``CI=true``) it fails, so that no check is ever
silently left out there.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import NoReturn

import pytest

_POSTGRESQL_FOLDERS = sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)


def not_met(why: str) -> NoReturn:
    """Skip (in CI: fail) the calling test for this reason."""
    if os.environ.get("CI") == "true":
        pytest.fail(why)
    pytest.skip(why)


def require_program(name: str, package: str) -> str:
    """The path of program ``name``, which Debian's ``package`` brings."""
    search = os.pathsep.join([os.environ.get("PATH", ""), *map(str, _POSTGRESQL_FOLDERS)])
    return shutil.which(name, path=search) or not_met(f"{name} is not installed: apt-get install {package}")


def require_root() -> None:
    """For a test that becomes another user, or changes what only root may."""
    if os.geteuid() != 0:
        not_met("needs root")

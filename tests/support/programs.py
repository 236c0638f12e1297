"""Outside programs that tests need (PostgreSQL, Redis, nginx, Chromium): found, or the test says what to install.

At a desk a missing program skips the tests that need it; in CI (``CI=true``) it fails them, so that no check is
ever silently left out there.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

_POSTGRESQL_FOLDERS = sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)


def require_program(name: str, package: str) -> str:
    """The path of program ``name``; skips (in CI: fails) the calling test where it is not installed.

    ``package`` is the Debian package that brings it.
    """
    search = os.pathsep.join([os.environ.get("PATH", ""), *map(str, _POSTGRESQL_FOLDERS)])
    found = shutil.which(name, path=search)
    if found is None:
        message = f"{name} is not installed: apt-get install {package}"
        if os.environ.get("CI") == "true":
            pytest.fail(message)
        pytest.skip(message)
    return found

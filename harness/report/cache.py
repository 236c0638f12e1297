"""Caches what all reports share in the user's cache folder: compiled templates, packed scripts.

Without it, each report takes 0.3 s of CPU longer.
"""

from __future__ import annotations

import os
import stat
import tempfile
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from pathlib import Path

from jinja2 import BytecodeCache
from jinja2.bccache import Bucket


def cached(name: str, key: str, make: Callable[[], str]) -> str:
    """What ``make`` returns. It is made again only where the file ``name`` holds that of another ``key``."""
    found, _, value = (_read(name) or b"").decode(errors="replace").partition("\n")
    if found == key:
        return value
    value = make()
    _write(name, f"{key}\n{value}".encode())
    return value


class CachedTemplates(BytecodeCache):
    """Jinja's cache of compiled templates. It recognizes templates that have changed."""

    def load_bytecode(self, bucket: Bucket) -> None:
        if found := _read(bucket.key):
            bucket.bytecode_from_string(found)

    def dump_bytecode(self, bucket: Bucket) -> None:
        _write(bucket.key, bucket.bytecode_to_string())


@cache
def _folder() -> Path | None:
    """None where there is none that only this user can write to: what it holds is run as code."""
    given = os.environ.get("XDG_CACHE_HOME", "")
    try:
        folder = Path(given if given.startswith("/") else "~/.cache").expanduser() / "harness"
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        status = folder.stat()
    except (OSError, RuntimeError):  # the latter without a home
        return None
    others_write = status.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
    return folder if status.st_uid == os.geteuid() and not others_write else None


def _read(name: str) -> bytes | None:
    folder = _folder()
    try:
        return None if folder is None else (folder / name).read_bytes()
    except OSError:
        return None


def _write(name: str, data: bytes) -> None:
    """At once or not at all: other runs read and write the same files."""
    if (folder := _folder()) is None:
        return
    with suppress(OSError), tempfile.TemporaryDirectory(dir=folder) as private:
        path = Path(private) / name
        path.write_bytes(data)
        path.replace(folder / name)

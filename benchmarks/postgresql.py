"""A separate PostgreSQL for a benchmark: in a temporary folder, on loopback, removed at the end."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks.processes import program, wait_until
from harness.prctl import die_with_parent
from harness.targets.health import free_port


@contextmanager
def start_postgresql() -> Iterator[str]:
    """The URL of an empty database."""
    initdb, postgres, isready = (program(name, "postgresql") for name in ("initdb", "postgres", "pg_isready"))
    folder = Path(tempfile.mkdtemp(prefix="harness-postgresql-"))
    try:
        account = _account(folder)
        subprocess.run(
            [initdb, "-D", folder / "data", "-U", "postgres", "-A", "trust", "-E", "UTF8", "--no-sync"],
            check=True,
            capture_output=True,
            cwd=folder,
            **account,
        )
        port = free_port()
        settings = ["listen_addresses=127.0.0.1", f"port={port}", f"unix_socket_directories={folder}"]
        with (folder / "log").open("w") as log:
            process = subprocess.Popen(
                [postgres, "-D", folder / "data", *(part for setting in settings for part in ("-c", setting))],
                stdout=log,
                stderr=log,
                cwd=folder,
                preexec_fn=die_with_parent,
                **account,
            )
        try:
            ready = [isready, "-h", "127.0.0.1", "-p", str(port), "-q"]
            wait_until(lambda: subprocess.run(ready, check=False).returncode == 0, "PostgreSQL", 30)
            yield f"postgresql://postgres@127.0.0.1:{port}/postgres"
        finally:
            process.send_signal(signal.SIGINT)  # "fast": does not wait for clients
            process.wait()
    finally:
        shutil.rmtree(folder)


def _account(folder: Path) -> dict[str, Any]:
    """PostgreSQL refuses to run as root: there it runs as postgres, who then owns the folder."""
    if os.geteuid() != 0:
        return {}
    user = pwd.getpwnam("postgres")
    os.chown(folder, user.pw_uid, user.pw_gid)
    return {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}

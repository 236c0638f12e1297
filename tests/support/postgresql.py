"""A real PostgreSQL for tests: a cluster in a temporary folder, on loopback."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

import psycopg
import pytest

from tests.support.children import die_with_the_tests, free_port, stop, wait_until
from tests.support.requirements import require_program

_PACKAGE = "postgresql"
_numbers = count(1)


@dataclass(frozen=True)
class PostgreSQL:
    """A running server; ``url`` is its maintenance database."""

    port: int

    @property
    def url(self) -> str:
        """URL of the database that every cluster has."""
        return self._url("postgres")

    def new_database(self) -> str:
        """Makes an empty database and gives its URL."""
        name = f"test_{next(_numbers)}"
        with psycopg.connect(self.url, autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}".encode())
        return self._url(name)

    def _url(self, database: str) -> str:
        return f"postgresql://postgres@127.0.0.1:{self.port}/{database}"


@contextmanager
def start_postgresql() -> Iterator[PostgreSQL]:
    """A cluster of its own, gone at the end; skips the test (CI: fails it) where PostgreSQL is not installed."""
    initdb, postgres = require_program("initdb", _PACKAGE), require_program("postgres", _PACKAGE)
    folder = Path(tempfile.mkdtemp(prefix="harness-postgresql-"))
    try:
        account = _account(folder)
        data = folder / "data"
        subprocess.run(
            [initdb, "-D", data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--no-sync"],
            check=True,
            capture_output=True,
            cwd=folder,
            **account,
        )
        port = free_port()
        settings = ["listen_addresses=127.0.0.1", f"port={port}", f"unix_socket_directories={folder}", "fsync=off"]
        settings.append("shared_preload_libraries=pg_stat_statements")  # counts in databases that have the extension
        with (folder / "log").open("w") as log:
            process = subprocess.Popen(
                [postgres, "-D", data, *(part for setting in settings for part in ("-c", setting))],
                stdout=log,
                stderr=log,
                text=True,
                cwd=folder,
                preexec_fn=die_with_the_tests,
                **account,
            )
        try:
            server = PostgreSQL(port)
            wait_until(lambda: _responds(server, process, folder), what="PostgreSQL's being ready")
            yield server
        finally:
            stop(process, signal.SIGINT)  # "fast": does not wait for clients
    finally:
        shutil.rmtree(folder)


@pytest.fixture(scope="session")
def postgresql() -> Iterator[PostgreSQL]:
    """One server for all tests of a worker; each takes a database of its own."""
    with start_postgresql() as server:
        yield server


def _account(folder: Path) -> dict[str, Any]:
    """PostgreSQL refuses to run as root: there it runs as postgres, who then owns the folder."""
    if os.geteuid() != 0:
        return {}
    user = pwd.getpwnam("postgres")
    os.chown(folder, user.pw_uid, user.pw_gid)
    return {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}


def _responds(server: PostgreSQL, process: subprocess.Popen[str], folder: Path) -> bool:
    assert process.poll() is None, (folder / "log").read_text()
    try:
        psycopg.connect(server.url, connect_timeout=2).close()
    except psycopg.OperationalError:
        return False
    return True

"""A real Redis for tests, on loopback, that keeps nothing on disk."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

import redis

from tests.support.children import dying_with_the_tests, free_port, stop, wait_until
from tests.support.requirements import require_program


@contextmanager
def start_redis() -> Iterator[str]:
    """The URL of an empty server, gone at the end; skips the test (CI: fails it) where Redis is not installed."""
    program = require_program("redis-server", "redis-server")
    port = free_port()
    process = subprocess.Popen(
        dying_with_the_tests([program, "--bind", "127.0.0.1", "--port", str(port), "--save", "", "--appendonly", "no"]),
        stdout=subprocess.DEVNULL,
        text=True,
    )
    url = f"redis://127.0.0.1:{port}/0"
    try:
        wait_until(lambda: _responds(url, process), what="Redis' being ready")
        yield url
    finally:
        stop(process)


def _responds(url: str, process: subprocess.Popen[str]) -> bool:
    assert process.poll() is None, f"redis-server ended with exit code {process.returncode}"
    try:
        with redis.Redis.from_url(url) as client:
            return bool(client.ping())
    except redis.ConnectionError:
        return False

"""The embedded shop as tests start it: a process on a free port, handed over when it is ready.

It is forked from a process that has imported it already, which saves most of what its start takes.
"""

from __future__ import annotations

import importlib
import multiprocessing
import os
import subprocess
import sys
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from tests.support.children import Child, die_with_the_tests, dying_with_the_tests, free_port, stop, wait_until

_SETTINGS = ("SHOP_", "PAYMENT_")
_MODULE = "harness.shop.process"
_forks = multiprocessing.get_context("forkserver")
_forks.set_forkserver_preload([_MODULE, "pydantic.v1", "sqlite3"])


@dataclass(frozen=True)
class RunningShop:
    """A shop that responds at ``url``."""

    url: str
    process: Child

    @property
    def pid(self) -> int:
        """The process id of the shop itself."""
        return self.process.pid


def shop_environment(settings: Mapping[str, str] | None = None) -> dict[str, str]:
    """This process' environment with the shop's variables set by ``settings`` alone."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(_SETTINGS)}
    return kept | dict(settings or {})


class ForkedShop:
    """A shop with the interface of :class:`subprocess.Popen`."""

    def __init__(self, arguments: Sequence[str], env: Mapping[str, str]) -> None:
        self._process = _forks.Process(target=_run_shop, args=(arguments, dict(env)), daemon=True)
        self._process.start()
        assert self._process.pid is not None
        self.pid = self._process.pid

    @property
    def returncode(self) -> int | None:
        return self._process.exitcode

    def poll(self) -> int | None:
        return self._process.exitcode

    def wait(self, timeout: float | None = None) -> int:
        self._process.join(timeout)
        if self.returncode is None:
            raise subprocess.TimeoutExpired("the shop", timeout or 0.0)
        return self.returncode

    def send_signal(self, sig: int) -> None:
        if self.poll() is None:
            os.kill(self.pid, sig)

    def kill(self) -> None:
        self._process.kill()


def _run_shop(arguments: Sequence[str], env: Mapping[str, str]) -> None:
    """Runs in the forked process."""
    die_with_the_tests()
    os.environ.clear()
    os.environ.update(env)
    sys.exit(importlib.import_module(_MODULE).main(arguments))


def _start(arguments: Sequence[str], env: Mapping[str, str], *, as_command: bool) -> Child:
    if not as_command:
        return ForkedShop(arguments, env)
    command = [sys.executable, "-m", "harness.shop", *arguments]
    return subprocess.Popen(dying_with_the_tests(command), env=env, text=True)


@contextmanager
def start_shop(env: Mapping[str, str] | None = None, *, as_command: bool = False) -> Iterator[RunningShop]:
    """Runs the shop with the variables ``env`` (SHOP_…, PAYMENT_…); stopped, and its exit code checked, at the end.

    ``as_command``: as a user starts it, and not forked. A shop that the test has ended itself, by whatever signal, is
    left alone.
    """
    port = free_port()
    process = _start(
        ["--host", "127.0.0.1", "--port", str(port)],
        shop_environment(env),
        as_command=as_command,
    )
    shop = RunningShop(f"http://127.0.0.1:{port}", process)
    try:
        wait_until(lambda: _is_ready(shop), what="the shop's being ready")
        yield shop
    except BaseException:  # raised again: a test that fails must leave no shop behind
        process.kill()
        process.wait()
        raise
    if process.poll() is None:
        assert stop(process) == 0, "the shop did not end cleanly"


def _is_ready(shop: RunningShop) -> bool:
    assert shop.process.poll() is None, f"the shop ended with exit code {shop.process.returncode}"
    # No httpx here: with each client it reads all the world's certificates, which is more work than the shop's start.
    try:
        with urllib.request.urlopen(f"{shop.url}/health") as response:
            return bool(response.status == 200)
    except OSError:
        return False

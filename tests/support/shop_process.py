"""The embedded shop as tests start it: a process of its own on a free port, ready when it is handed over."""

from __future__ import annotations

import os
import subprocess
import sys
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

from tests.support.children import die_with_the_tests, free_port, stop, wait_until

_SETTINGS = ("SHOP_", "PAYMENT_")


@dataclass(frozen=True)
class RunningShop:
    """A shop that responds at ``url``."""

    url: str
    process: subprocess.Popen[str]

    @property
    def pid(self) -> int:
        """The process id of the shop itself."""
        return self.process.pid


def shop_environment(settings: Mapping[str, str] | None = None) -> dict[str, str]:
    """This process' environment with the shop's variables set by ``settings`` alone."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(_SETTINGS)}
    return kept | dict(settings or {})


@contextmanager
def start_shop(env: Mapping[str, str] | None = None) -> Iterator[RunningShop]:
    """Runs the shop with the variables ``env`` (SHOP_…, PAYMENT_…); stopped, and its exit code checked, at the end.

    A shop that the test has ended itself, by whatever signal, is left alone.
    """
    port = free_port()
    process = subprocess.Popen(
        [sys.executable, "-m", "harness.shop", "--host", "127.0.0.1", "--port", str(port)],
        env=shop_environment(env),
        text=True,
        preexec_fn=die_with_the_tests,
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

"""Programs that benchmarks start: each on a core of its own, and ended with the benchmark."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click

from harness.prctl import die_with_parent

_START_S = 10.0


def two_cores() -> tuple[int, int]:
    """A core for the generator and one for the server, on different physical cores if possible.

    Raises :class:`click.ClickException` if this process may use only one.
    """
    allowed = sorted(os.sched_getaffinity(0))
    if len(allowed) < 2:
        raise click.ClickException("this benchmark needs two cores, one for the load generator and one for the server")
    first = allowed[0]
    siblings = Path(f"/sys/devices/system/cpu/cpu{first}/topology/thread_siblings_list")
    twins = _cpu_list(siblings.read_text()) if siblings.is_file() else {first}
    return first, next((core for core in allowed[1:] if core not in twins), allowed[1])


def _cpu_list(text: str) -> set[int]:
    """Parse a CPU list of the kernel, such as ``0-2,8``."""
    spans = (part.partition("-") for part in text.strip().split(","))
    return {cpu for low, _, high in spans for cpu in range(int(low), int(high or low) + 1)}


@contextmanager
def on_core(core: int) -> Iterator[None]:
    """Pin child processes that are started in a ``with`` block to ``core``."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {core})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def start(command: Sequence[str | Path], core: int, **options: Any) -> subprocess.Popen[str]:
    """Start a program on one core. It ends with this process. ``options`` are those of ``Popen``."""
    with on_core(core):
        return subprocess.Popen(list(map(str, command)), text=True, preexec_fn=die_with_parent, **options)


def wait_until(ready: Callable[[], bool], what: str, seconds: float = _START_S) -> None:
    """Wait until ``ready()`` is true. Raises :class:`click.ClickException`, which names ``what``, after ``seconds``."""
    deadline = time.monotonic() + seconds
    while not ready():
        if time.monotonic() > deadline:
            raise click.ClickException(f"waited {seconds:g} s for {what}")
        time.sleep(0.02)


def program(name: str, package: str) -> str:
    """The path of a required program. ``package`` is the Debian package that contains it."""
    folders = ["/usr/sbin", *map(str, sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True))]
    found = shutil.which(name, path=os.pathsep.join([os.environ.get("PATH", ""), *folders]))
    if found is None:
        raise click.ClickException(f"{name} is not installed (apt-get install {package})")
    return found

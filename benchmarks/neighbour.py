"""Takes a third of this machine's cores at random: per core, busy 1 s, idle 2 s on average.

python benchmarks/neighbour.py --seed 1
"""

from __future__ import annotations

import os
import random
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

import click

from harness.prctl import die_with_parent

_BUSY_S, _IDLE_S = 1.0, 2.0


def burn(seed: int) -> None:
    """Be busy and idle in turn, for exponential times, until killed."""
    rng = random.Random(seed)
    while True:
        until = time.monotonic() + rng.expovariate(1 / _BUSY_S)
        while time.monotonic() < until:
            pass
        time.sleep(rng.expovariate(1 / _IDLE_S))


@contextmanager
def neighbour(seed: int) -> Iterator[None]:
    """A neighbour for as long as the ``with`` block lasts."""
    cores = len(os.sched_getaffinity(0))
    command = [sys.executable, "-m", "benchmarks.neighbour", "--seed"]
    processes = [
        subprocess.Popen([*command, str(cores * seed + core)], preexec_fn=die_with_parent) for core in range(cores)
    ]
    try:
        yield
    finally:
        for process in processes:
            process.kill()
            process.wait()


@click.command(help=__doc__)
@click.option("--seed", type=int, required=True)
def main(seed: int) -> None:
    burn(seed)


if __name__ == "__main__":
    main()

"""The noting server as benchmarks use it: started on a core of its own, loaded by the harness, asked for its notes."""

from __future__ import annotations

import math
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from benchmarks.support import HarnessLoad, start, wait_until
from harness.errors import HarnessError
from harness.plan.model import Phase
from harness.targets.health import free_port

Floats = npt.NDArray[np.float64]


class Freezes(NamedTuple):
    """The server freezes for ``freeze_s`` in every ``every_s``."""

    freeze_s: float
    every_s: float


END_S = 60.0
"""How long a load or the server may take to end."""


@dataclass(frozen=True)
class Notes:
    """What the server noted; times in seconds of its clock."""

    first_s: float
    """When the first request came."""
    freezes: Floats
    cost_s: float
    """How long a request takes it where many stand waiting."""
    served: int
    service_s: dict[str, Floats]

    @classmethod
    def load(cls, path: Path) -> Notes:
        with np.load(path) as file:
            return cls(
                first_s=float(file["first_s"]),
                freezes=file["freezes"],
                cost_s=float(file["cost_s"]),
                served=int(file["served"]),
                service_s={name.partition("/")[2]: file[name] for name in file.files if name.startswith("service_s/")},
            )


def quantile_of(values: Floats, q: float) -> float:
    """The value that a share ``q`` of ``values`` does not exceed, as :meth:`Histogram.quantile_us` has it."""
    rank = max(1, math.ceil(q * len(values) - 1e-9))
    return float(np.partition(values, rank - 1)[rank - 1])


class Server:
    """The noting server on a core of its own; ``notes`` when it has ended."""

    def __init__(self, folder: Path, core: int, freezes: Freezes | None) -> None:
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        self._notes = folder / "notes.npz"
        command: list[str | Path] = [
            sys.executable,
            "-m",
            "benchmarks.noting_server",
            "--port",
            str(port),
            "--notes",
            self._notes,
        ]
        if freezes is not None:
            command += ["--freeze", str(freezes.freeze_s), "--every", str(freezes.every_s)]
        self._process = start(command, core, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert self._process.stdout is not None
        if self._process.stdout.readline() != "ready\n":
            raise HarnessError("the benchmark's server did not start")

    def end(self) -> Notes:
        """Stop it and read what it noted."""
        self._process.communicate(timeout=END_S)
        return Notes.load(self._notes)

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()


@contextmanager
def serving(core: int, freezes: Freezes | None = None) -> Iterator[tuple[Path, Server]]:
    """A fresh server, and a folder for whoever loads it."""
    with tempfile.TemporaryDirectory() as folder:
        server = Server(Path(folder), core, freezes)
        try:
            yield Path(folder), server
        finally:
            server.kill()


def harness_load(folder: Path, url: str, phases: Sequence[Phase], locustfile: str, core: int) -> HarnessLoad:
    """The harness's load of these phases by a scenario, when it has ended."""
    scenario = folder / "getter.py"
    scenario.write_text(locustfile)
    load = HarnessLoad(folder, scenario, phases, url, core)
    try:
        wait_until(lambda: not load.running(), "the end of the load", sum(phase.duration_s for phase in phases) + END_S)
    finally:
        load.end()
    return load

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

import numpy as np
import numpy.typing as npt

from benchmarks.support import HarnessLoad, free_port, start, wait_until
from harness.errors import HarnessError
from harness.plan.model import Phase

Floats = npt.NDArray[np.float64]

FREEZE_S, EVERY_S = 0.5, 5.0
END_S = 60.0
"""How long a load or the server may take to end."""

_SCENARIO = """
from harness import HttpUser
from locust import task


class Getter(HttpUser):
    @task
    def get(self):
        self.client.get("{path}")
"""


@dataclass(frozen=True)
class Notes:
    """What the server noted; times in seconds of its clock."""

    first_s: float
    """When the first request came."""
    freezes: Floats
    cost_s: float
    """Its CPU time a request."""
    served: int
    service_s: dict[str, Floats]

    @classmethod
    def load(cls, path: Path) -> Notes:
        with np.load(path) as file:
            served = int(file["served"])
            return cls(
                first_s=float(file["first_s"]),
                freezes=file["freezes"],
                cost_s=float(file["cpu_s"]) / max(served, 1),
                served=served,
                service_s={name.partition("/")[2]: file[name] for name in file.files if name.startswith("service_s/")},
            )


def quantile_of(values: Floats, q: float) -> float:
    """The value that a share ``q`` of ``values`` does not exceed, as :meth:`Histogram.quantile_us` has it."""
    rank = max(1, math.ceil(q * len(values) - 1e-9))
    return float(np.partition(values, rank - 1)[rank - 1])


class Server:
    """The noting server on a core of its own; ``notes`` when it has ended."""

    def __init__(self, folder: Path, core: int, *, freezing: bool) -> None:
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
        if freezing:
            command += ["--freeze", str(FREEZE_S), "--every", str(EVERY_S)]
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
def serving(core: int, *, freezing: bool) -> Iterator[tuple[Path, Server]]:
    """A fresh server, and a folder for whoever loads it."""
    with tempfile.TemporaryDirectory() as folder:
        server = Server(Path(folder), core, freezing=freezing)
        try:
            yield Path(folder), server
        finally:
            server.kill()


def harness_load(folder: Path, url: str, phases: Sequence[Phase], path: str, core: int) -> HarnessLoad:
    """The harness's load of these phases on ``path``, when it has ended."""
    scenario = folder / "getter.py"
    scenario.write_text(_SCENARIO.format(path=path))
    load = HarnessLoad(folder, scenario, phases, url, core)
    try:
        wait_until(lambda: not load.running(), "the end of the load", sum(phase.duration_s for phase in phases) + END_S)
    finally:
        load.end()
    return load

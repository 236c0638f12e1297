"""Runs the reference server on its own core, puts load on it and reads its measurements."""

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

import click
import numpy as np
import numpy.typing as npt

from benchmarks.load import HarnessLoad
from benchmarks.processes import start, wait_until
from harness.plan.model.phase import Phase
from harness.targets.health import free_port

Floats = npt.NDArray[np.float64]


class Freezes(NamedTuple):
    """The server freezes for ``freeze_s`` every ``every_s``."""

    freeze_s: float
    every_s: float


END_S = 60.0
"""How long the load or the server may take to end."""


@dataclass(frozen=True)
class ServerRecord:
    """What the server measured. Times are seconds of its monotonic clock."""

    first_s: float
    """When the first request arrived."""
    freezes: Floats
    cost_s: float
    """How long it takes for a request while others wait."""
    served: int
    service_s: dict[str, Floats]

    @classmethod
    def load(cls, path: Path) -> ServerRecord:
        with np.load(path) as file:
            return cls(
                first_s=float(file["first_s"]),
                freezes=file["freezes"],
                cost_s=float(file["cost_s"]),
                served=int(file["served"]),
                service_s={name.partition("/")[2]: file[name] for name in file.files if name.startswith("service_s/")},
            )


def quantile_of(values: Floats, q: float) -> float:
    """The value that a share ``q`` of ``values`` does not exceed, as in :meth:`Histogram.quantile_us`."""
    rank = max(1, math.ceil(q * len(values) - 1e-9))
    return float(np.partition(values, rank - 1)[rank - 1])


class Server:
    """The reference server on its own core."""

    def __init__(self, folder: Path, core: int, freezes: Freezes | None) -> None:
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        self._output = folder / "record.npz"
        command: list[str | Path] = [
            sys.executable,
            "-m",
            "benchmarks.reference_server",
            "--port",
            str(port),
            "--output",
            self._output,
        ]
        if freezes is not None:
            command += ["--freeze", str(freezes.freeze_s), "--every", str(freezes.every_s)]
        self._process = start(command, core, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert self._process.stdout is not None
        if self._process.stdout.readline() != "ready\n":
            raise click.ClickException("the reference server did not start")

    def end(self) -> ServerRecord:
        """Stop the server and read its measurements."""
        self._process.communicate(timeout=END_S)
        return ServerRecord.load(self._output)

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()


@contextmanager
def serving(core: int, freezes: Freezes | None = None) -> Iterator[tuple[Path, Server]]:
    """Run a server for a ``with`` block, with a temporary folder for the load generator."""
    with tempfile.TemporaryDirectory() as folder:
        server = Server(Path(folder), core, freezes)
        try:
            yield Path(folder), server
        finally:
            server.kill()


def harness_load(folder: Path, url: str, phases: Sequence[Phase], locustfile: str, core: int) -> HarnessLoad:
    """Run these phases of the harness to their end."""
    scenario = folder / "getter.py"
    scenario.write_text(locustfile)
    load = HarnessLoad(folder, scenario, phases, url, core)
    try:
        wait_until(lambda: not load.running(), "the end of the load", sum(phase.duration_s for phase in phases) + END_S)
    finally:
        load.end()
    return load

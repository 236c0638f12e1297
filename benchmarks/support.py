"""What the benchmarks share: separate cores, nginx as a target, the spread of rounds, and output of results.

The table goes to standard error; the last line on standard output is a JSON object.
"""

from __future__ import annotations

import ctypes
import json
import os
import platform
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import click
import psutil
from rich.console import Console
from rich.table import Table

from harness.control.load_processes import LoadProcesses
from harness.engine.fork_server import ForkServer
from harness.plan.model import AttachedTarget, Phase, RunPlan, Sampling, Scenario, Segment, TraceSampling, Variant
from harness.record.journal import Journal, JournalFollower, read_journal
from harness.record.run_folder import RunFolder
from harness.recording.run import RunRecording, read_run
from harness.targets.health import free_port

_PR_SET_PDEATHSIG = 1
_START_S = 10.0
_libc = ctypes.CDLL(None)

_NGINX = """
daemon off;
master_process off;
pid {folder}/nginx.pid;
error_log {folder}/error.log error;
events {{ worker_connections {connections}; }}
http {{
  access_log off;
  client_body_temp_path {folder}/body;
  proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi;
  scgi_temp_path {folder}/scgi;
  keepalive_timeout 1h;
  keepalive_requests 1000000000;
  server {{
    listen 127.0.0.1:{port} backlog=4096;
    location / {{
      default_type application/json;
      return 200 '{{"id":1,"name":"product 1","price_cents":1299,"in_stock":true}}';
    }}
    location = /status {{ stub_status; }}
  }}
}}
"""


@dataclass(frozen=True)
class Spread:
    """Median, least and greatest value of one figure in several rounds."""

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, values: Iterable[float]) -> Spread:
        ordered = sorted(values)
        return cls(statistics.median(ordered), ordered[0], ordered[-1])

    def text(self, digits: int = 0) -> str:
        """Such as ``19,200 (18,900–19,400)``."""
        return f"{self.median:,.{digits}f} ({self.low:,.{digits}f}–{self.high:,.{digits}f})"


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


def die_with_parent() -> None:
    """For ``Popen(preexec_fn=…)``: the kernel kills the child when this process ends."""
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


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
    found = shutil.which(name, path=os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin"]))
    if found is None:
        raise click.ClickException(f"{name} is not installed (apt-get install {package})")
    return found


class Nginx:
    """A single-process nginx on a free loopback port that responds with a small JSON and counts requests."""

    def __init__(self, folder: Path, core: int, connections: int = 1024) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        configuration = folder / "nginx.conf"
        configuration.write_text(_NGINX.format(folder=folder, port=self.port, connections=connections))
        command: list[str | Path] = [
            program("nginx", "nginx-light"),
            "-p",
            folder,
            "-e",
            folder / "error.log",
            "-c",
            configuration,
        ]
        self.process = start(command, core)
        self._status_requests = 0
        self._status = HTTPConnection("127.0.0.1", self.port, timeout=_START_S)
        try:
            wait_until(self._listens, "nginx")
        except BaseException:  # an interrupt must not leave nginx behind; raised again
            self.end()
            raise

    def _listens(self) -> bool:
        if self.process.poll() is not None:
            raise click.ClickException(f"nginx ended at once with exit code {self.process.returncode}")
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def connections(self) -> int:
        """How many connections are open, except the one of this method."""
        return int(self._get_json().splitlines()[0].split()[2]) - 1

    def requests(self) -> int:
        """How many requests it has received, except those of this object."""
        return int(self._get_json().splitlines()[2].split()[2]) - self._status_requests

    def _get_json(self) -> str:
        self._status_requests += 1
        self._status.request("GET", "/status")
        return self._status.getresponse().read().decode()

    def end(self) -> None:
        self._status.close()
        self.process.kill()
        self.process.wait()

    def __enter__(self) -> Nginx:
        return self

    def __exit__(self, *_: object) -> None:
        self.end()


def closed_phase(users: int, seconds: float, *, ramp: bool = False, name: str = "steady") -> Phase:
    """A closed phase with ``users`` for ``seconds``. With ``ramp``, their number grows over that time."""
    segment = Segment(start=0 if ramp else users, end=users, duration_s=seconds)
    return Phase(
        name=name,
        kind="ramp" if ramp else "steady",
        model="closed",
        segments=(segment,),
        description=f"{users} users for {seconds:g} s",
    )


def open_phase(rate: float, seconds: float, max_users: int, *, name: str = "steady") -> Phase:
    """An open phase with ``rate`` evenly spaced arrivals per second for ``seconds``."""
    return Phase(
        name=name,
        kind="steady",
        model="open",
        segments=(Segment(start=rate, end=rate, duration_s=seconds),),
        max_users=max_users,
        description=f"{rate:g} arrivals/s for {seconds:g} s",
    )


def plan_of(
    phases: Sequence[Phase], scenario: Path, url: str, workers: int = 1, traces: TraceSampling | None = None
) -> RunPlan:
    """The plan of a load on ``url``, without samplers and gates."""
    return RunPlan(
        scenario=Scenario(
            path=str(scenario), name=scenario.stem, sha256="", user_classes=(), has_verify=False, has_shape=False
        ),
        profile="benchmark",
        phases=tuple(phases),
        gates=(),
        sampling=Sampling(cpu=None, memory=None, traces=traces),
        targets=(Variant(target=AttachedTarget(url=url)),),
        workers=workers,
        seed=1,
    )


class HarnessLoad:
    """The master and worker processes of ``harness run`` on one core, without samplers and gates.

    With ``master_core``, the master runs on that core instead.
    """

    def __init__(
        self,
        folder: Path,
        scenario: Path,
        phases: Sequence[Phase],
        url: str,
        core: int,
        *,
        workers: int = 1,
        master_core: int | None = None,
        traces: TraceSampling | None = None,
    ) -> None:
        plan = plan_of(phases, scenario, url, workers, traces)
        self._folder = RunFolder.create(folder, "run")
        self._follower: JournalFollower | None = None
        self._folder.plan.write_text(plan.model_dump_json())
        with on_core(core):
            self._fork_server = ForkServer()
        self._load = LoadProcesses(self._fork_server, self._folder, plan)
        self._load.begin([url])
        if master_core is not None:
            os.sched_setaffinity(self.pids()[0], {master_core})

    def pids(self) -> list[int]:
        """The process ids of the master, then of the workers."""
        return self._load.pids()

    def workers(self) -> list[psutil.Process]:
        return [psutil.Process(pid) for pid in self.pids()[1:]]

    def running(self) -> bool:
        return self._load.running

    def finish(self) -> None:
        """Do nothing: the load ends with its last phase."""

    def phases_started(self) -> int:
        """How many phases have begun."""
        path = self._folder.journal
        self._follower = self._follower or (JournalFollower(path) if path.is_file() else None)
        if self._follower is None:
            return 0
        self._follower.poll()
        return len(self._follower.journal.phases)

    def journal(self) -> Journal:
        """The journal. Raises :class:`click.ClickException` if the load did not finish."""
        journal = read_journal(self._folder.journal)
        if journal.end_reason != "done":
            raise click.ClickException(
                f"the load did not finish: {journal.end_reason}\n{self._folder.log.read_text()[-2000:]}"
            )
        return journal

    def recording(self) -> RunRecording:
        """The run folder as a recording, after the end."""
        return read_run(self._folder)

    def recorded(self) -> int:
        """How many requests were recorded."""
        return sum(row.requests for second in self.journal().seconds for row in second.endpoint_seconds)

    def end(self) -> None:
        """Stop whatever is still running."""
        if self.running():
            self._load.kill()
        self._load.end()
        self._fork_server.close()


def machine() -> dict[str, Any]:
    """What the figures depend on: processor, cores, kernel and Python."""
    models = [line for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")]
    return {
        "cpu": models[0].partition(":")[2].strip() if models else platform.machine(),
        "cores": len(os.sched_getaffinity(0)),
        "kernel": platform.release(),
        "python": platform.python_version(),
    }


def show_table(title: str, columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Print a table whose first column has names and the others figures."""
    table = Table(title=title, title_justify="left", box=None, pad_edge=False)
    for index, column in enumerate(columns):
        table.add_column(column, justify="right" if index else "left")
    for row in rows:
        table.add_row(*row)
    _console().print(table)


def show_result(result: dict[str, Any]) -> None:
    """Print the machine, and ``result`` with it as a JSON line. Values may be :class:`Spread`."""
    described = machine()
    _console().print(", ".join(f"{name} {value}" for name, value in described.items()), highlight=False)
    print(json.dumps({**result, "machine": described}, default=asdict), flush=True)


def show(title: str, columns: Sequence[str], rows: Iterable[Sequence[str]], result: dict[str, Any]) -> None:
    """:func:`show_table` and :func:`show_result`, for a benchmark of one table."""
    show_table(title, columns, rows)
    show_result(result)


def _console() -> Console:
    return Console(stderr=True, width=None if sys.stderr.isatty() else 140)

"""The load engine by itself, as tests drive it: a scenario's text and phases in, the journal out."""

from __future__ import annotations

import textwrap
import time
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

from harness.cluster.listen_address import ListenAddress
from harness.control.load_processes import LoadProcesses
from harness.plan.model.phase import Model, Phase, Segment
from harness.plan.model.run import RunPlan
from harness.plan.model.sampling import Sampling
from harness.plan.model.scenario import Scenario
from harness.record.histogram import Histogram
from harness.record.journal import Journal, JournalFollower
from harness.record.run_folder import RunFolder
from tests.support.fork_servers import fork_server
from tests.support.plans import make_plan

LONGEST_RUN_S = 60.0


def phase(
    *levels: tuple[float, float, float],
    model: Model = "closed",
    kind: str = "steady",
    name: str = "steady",
    max_users: int = 100,
) -> Phase:
    """A phase of segments ``(start, end, duration_s)``."""
    return Phase(
        name=name,
        kind=kind,
        model=model,
        segments=tuple(Segment(start=start, end=end, duration_s=duration_s) for start, end, duration_s in levels),
        max_users=max_users if model == "open" else None,
        description=name,
    )


def scenario(folder: Path, text: str, name: str = "scenario.py") -> Path:
    """A scenario file of that text, which may be indented."""
    path = folder / name
    path.write_text(textwrap.dedent(text))
    return path


def plan_of(
    scenario: Path, phases: Sequence[Phase], *, workers: int = 1, has_shape: bool = False, stop_timeout_s: float = 10
) -> RunPlan:
    of_file = Scenario(path=str(scenario), name=scenario.stem, sha256="", user_classes=(), has_shape=has_shape)
    sampling = Sampling(cpu=None, memory=None)
    return make_plan(phases, workers=workers, seed=1).model_copy(
        update={"scenario": of_file, "sampling": sampling, "stop_timeout_s": stop_timeout_s}
    )


def put_load(
    plan: RunPlan,
    url: str,
    parent: Path,
    act: Callable[[LoadProcesses, Journal], None] | None = None,
    listen_address: ListenAddress | None = None,
    rows: Sequence[str] = (),
    through: tuple[str, int] | None = None,
) -> Journal:
    """Run the plan's load on ``url`` and give its journal; ``act`` is called some times a second while it lasts.

    ``rows`` are the files of the rows of the scenario's feeders, ``through`` is a proxy that leads to ``url``.
    """
    folder = RunFolder.create(parent, "run")
    follower = JournalFollower(folder.journal)
    deadline = time.monotonic() + LONGEST_RUN_S
    with LoadProcesses(fork_server(), folder, plan, listen_address) as load:
        load.begin([url], rows=rows, through=[through])
        while load.running:
            load.news()
            follower.poll()
            if act is not None:
                act(load, follower.journal)
            assert time.monotonic() < deadline, "the load did not end"
            time.sleep(0.05)
    follower.poll()
    return follower.journal


def requests_by_endpoint(journal: Journal, phase: int | None = None) -> Counter[str]:
    """How many requests were recorded of each endpoint, in the whole run or in one phase."""
    counts: Counter[str] = Counter()
    for second in journal.seconds:
        for row in second.endpoint_seconds:
            if phase in (None, row.phase):
                counts[str(journal.endpoints[row.endpoint])] += row.requests
    return counts


def response_of(journal: Journal, phase: int) -> Histogram:
    """All response times of a phase."""
    return Histogram.merged(
        [row.response for second in journal.seconds for row in second.endpoint_seconds if row.phase == phase]
    )


def service_of(journal: Journal, phase: int) -> Histogram:
    """All service times of a phase."""
    return Histogram.merged(
        [row.service for second in journal.seconds for row in second.endpoint_seconds if row.phase == phase]
    )


def iterations_of(journal: Journal) -> int:
    return sum(worker.iterations for second in journal.seconds for worker in second.workers)

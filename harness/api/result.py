"""A run that has ended, as Python reads it: its verdict, its figures, and its tables as pandas DataFrames."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from harness.api.edge import at_the_edge
from harness.control.run_lookup import find
from harness.errors import HarnessError
from harness.record.run_folder import RunFolder, read_model

if TYPE_CHECKING:
    import pandas as pd

    from harness.api.measured import MeasuredPhase
    from harness.api.verdict import Verdict
    from harness.plan.model import RunPlan
    from harness.record.summary import GateResult, Summary


class Run:
    """One run. All is read from its folder when it is first asked for.

    Times are in milliseconds (``_s``: in seconds from the run's start), rates per second, ``error_rate`` a share 0…1.
    Reading raises :class:`HarnessError` where the folder is damaged.
    """

    def __init__(self, folder: RunFolder, summary: Summary | None = None) -> None:
        self.folder = RunFolder(folder.path.absolute())  # a program may change its working folder meanwhile
        if summary is not None:
            self.summary = summary

    @classmethod
    @at_the_edge
    def load(cls, run: str | Path = "latest", *, out: str | Path = "reports") -> Run:
        """The run of that folder, of that run-id below ``out``, or the ``"latest"`` there.

        Also a folder from another machine, and one whose run was killed; a run-id that is not there is fetched from
        where ``HARNESS_ARTIFACTS`` keeps its copy. Raises :class:`HarnessError` where there is none.
        """
        return cls(find(str(run), Path(out)))

    @property
    def id(self) -> str:
        """The run-id: the name of its folder."""
        return self.folder.run_id

    @property
    def path(self) -> Path:
        """The run folder, absolute."""
        return self.folder.path

    @property
    def report(self) -> Path:
        """``report.html``, absolute; one that a killed run lacks is drawn by :meth:`draw`."""
        return self.folder.report

    @cached_property
    def summary(self) -> Summary:
        """All of ``summary.json``. A run that was killed before it was judged is judged now; nothing is written."""
        from harness.record.summary import Summary

        if self.folder.summary.exists():
            return read_model(self.folder.summary, Summary)
        from harness.control.finalize import judged

        return judged(self.folder)

    @cached_property
    def plan(self) -> RunPlan:
        """What was to be run: phases, gates, target, seed. Raises :class:`HarnessError` where it is a bench."""
        from harness.plan.model import RunPlan

        if self.folder.is_bench:
            raise HarnessError(
                "this is the folder of `harness bench`, which puts no load on a target",
                where=str(self.path),
                hint="It has `verdict`, `gates` and `benchmarks`, but no plan of phases and no timeline.",
            )
        return read_model(self.folder.plan, RunPlan)

    @cached_property
    def verdict(self) -> Verdict:
        """Whether it held, and why (not)."""
        from harness.api.verdict import Verdict

        return Verdict.of(self.summary, self.path)

    @property
    def gates(self) -> tuple[GateResult, ...]:
        """What each gate required, observed and gave: a gate over several phases gives one result for each."""
        return tuple(self.summary.gates)

    @cached_property
    def phases(self) -> tuple[MeasuredPhase, ...]:
        """The phases that began, in order."""
        from harness.api.measured import MeasuredPhase

        return tuple(map(MeasuredPhase.of_phase, self.summary.phases))

    def phase(self, name: str) -> MeasuredPhase:
        """The phase of that name (by default its kind). Raises :class:`HarnessError` where there was none."""
        for phase in self.phases:
            if phase.name == name:
                return phase
        from harness.metrics.formatting import among

        raise HarnessError(f"there was no phase {name!r}", hint=among(name, [phase.name for phase in self.phases]))

    @at_the_edge
    def judge(
        self,
        require: str | Sequence[str] = (),
        *,
        phase: str | None = None,
        endpoint: str | None = None,
        profile: str | Path | None = None,
    ) -> Run:
        """Judge it again, as ``harness gate``: its results and reports are written anew, and returned.

        By its own gates; by ``require`` (``"p95 < 300ms"``, or several), read in ``phase`` and of ``endpoint``; or by
        the gates of ``profile``. Raises :class:`HarnessError` where these make no sense.
        """
        required = (require,) if isinstance(require, str) else tuple(require)
        if self.folder.is_bench:
            return self._judge_bench(required, phase=phase, endpoint=endpoint, profile=profile)
        from harness.plan.gating import requested_gates

        if profile is not None and required:
            raise HarnessError("gates come from one place", where="--require, --profile", hint="Give one of the two.")
        if (phase or endpoint) and not required:
            raise HarnessError("nothing is required", where="--phase, --endpoint", hint='Add --require "p95 < 300ms".')
        chosen = None if profile is None else str(profile)
        gates = requested_gates(self.plan, require=required, phase=phase, endpoint=endpoint, profile=chosen)

        # Only now: a wrong word is told before scipy, pyarrow and jinja2 are loaded.
        from harness.control.finalize import judge_again

        return Run(self.folder, judge_again(self.folder, gates))

    def _judge_bench(self, require: Sequence[str], **others: object) -> Run:
        from harness.plan.bench_resolve import requested_bench_gates

        given = [f"--{name}" for name, value in others.items() if value is not None]
        if given:
            raise HarnessError(
                "a bench has no phases, endpoints and profiles",
                where=", ".join(given),
                hint="Name the benchmark: --require 'bench(\"test_search\").mean < 2ms'",
            )
        gates = requested_bench_gates(require, None, option="--require")
        from harness.control.finalize import judge_bench_again

        return Run(self.folder, judge_bench_again(self.folder, gates))

    @at_the_edge
    def draw(self) -> Path:
        """Draw its reports anew, as ``harness report``; where ``report.html`` lies."""
        from harness.control.finalize import draw_again

        draw_again(self.folder)
        return self.report

    @cached_property
    def figures(self) -> pd.DataFrame:
        """A row a phase: what :meth:`phase` has, ``p95_ms``, ``throughput_rps``, …, as columns."""
        from harness.api import tables

        return tables.figures(self.summary)

    @cached_property
    def endpoints(self) -> pd.DataFrame:
        """A row per phase and endpoint."""
        from harness.api import tables

        return tables.endpoints(self.summary)

    @cached_property
    def benchmarks(self) -> pd.DataFrame:
        """A row per benchmark of a bench: ``name, rounds, min_s, mean_s, median_s, p95_s, ops, …``; else empty."""
        from harness.api import tables

        return tables.benchmarks(self.summary)

    @cached_property
    def steps(self) -> pd.DataFrame:
        """A row per step of a stress phase: ``level`` (users or arrivals per second), ``held``, and its figures."""
        from harness.api import tables

        return tables.steps(self.summary)

    @cached_property
    def failures(self) -> pd.DataFrame:
        """A row per kind of failure on an endpoint: ``method, name, failure, count, first_s, last_s``."""
        from harness.api import tables

        return tables.failures(self.summary)

    @cached_property
    def suspects(self) -> pd.DataFrame:
        """A row per function that costs more CPU a request than in the baseline, the greatest change first."""
        from harness.api import tables

        return tables.suspects(self.summary)

    @cached_property
    def timeline(self) -> pd.DataFrame:
        """A row per second, phase and endpoint: ``requests``, ``failures``, ``bytes_received``, ``p95_ms``, …

        ``second`` is that of the run in which the requests ended.
        """
        from harness.api import tables

        return tables.timeline(self.folder, self.plan)

    @cached_property
    def resources(self) -> pd.DataFrame:
        """A row per reading and value: ``at_s, epoch_s, source, name, value``, as in ``resources.parquet``.

        Sources are ``target``, ``machine``, ``generator``, ``load`` and the workers. Wide:
        ``run.resources.pivot_table(index="at_s", columns=["source", "name"], values="value")``.
        """
        from harness.api import tables

        return tables.resources(self.folder)

    def _repr_markdown_(self) -> str:
        """What a notebook shows."""
        from harness.report.markdown import summary_markdown

        return summary_markdown(self.summary)

    def __repr__(self) -> str:
        return f"<Run {self.id}>"


class RunInterrupted(KeyboardInterrupt):
    """Ctrl-C, or another signal, came while the run went on; what ran was judged and reported: ``run`` is its result.

    A ``KeyboardInterrupt``, so that a loop over several runs, or a test session, ends as by any other.
    """

    def __init__(self, run: Run) -> None:
        super().__init__(f"the run was interrupted: {run.report}")
        self.run = run

"""A finished run for Python: its verdict, its figures, and its tables as pandas DataFrames."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from harness import api, control
from harness.api.measured import MeasuredPhase
from harness.api.python_call import python_call
from harness.errors import ExitCode, HarnessError
from harness.messages import alternatives
from harness.plan.config_source import shown_path
from harness.plan.model.run import RunPlan
from harness.record import summary
from harness.record.gate_result import GateResult
from harness.record.plain_text import one_line
from harness.record.run_folder import RunFolder, read_model
from harness.record.summary import Summary

if TYPE_CHECKING:
    import pandas as pd


class Run:
    """One run, read from its folder as needed.

    Times are in milliseconds (``_s``: in seconds from the run's start), rates per second, ``error_rate`` a share 0…1.
    Reading raises :class:`HarnessError` if the folder is damaged.
    """

    def __init__(self, folder: RunFolder, summary: Summary | None = None) -> None:
        self.folder = RunFolder(folder.path.absolute())  # a program may change its working folder meanwhile
        if summary is not None:
            self.summary = summary

    @classmethod
    @python_call
    def load(cls, run: str | Path = "latest", *, out: str | Path = "reports") -> Run:
        """Load a run by its folder, by its run ID below ``out``, or as the ``"latest"`` there.

        Folders from other machines and of killed runs can be loaded too. A run ID that is not in ``out`` is fetched
        from its copy in ``HARNESS_ARTIFACTS``. Raises :class:`HarnessError` if there is no such run.
        """
        return cls(control.run_lookup.find_or_fetch(str(run), Path(out)))

    @property
    def id(self) -> str:
        """The run ID: the name of the run folder."""
        return self.folder.run_id

    @property
    def path(self) -> Path:
        """The absolute path of the run folder."""
        return self.folder.path

    @property
    def report(self) -> Path:
        """The absolute path of ``report.html``. A killed run has none until :meth:`draw` makes it."""
        return self.folder.report

    @cached_property
    def summary(self) -> Summary:
        """All of ``summary.json``. A run that was killed before it was judged is judged now; nothing is written."""
        if self.folder.summary.exists():
            return read_model(self.folder.summary, Summary)
        return control.finalize.judged(self.folder)

    @cached_property
    def plan(self) -> RunPlan:
        """What the run was to do: phases, gates, target, seed. Raises :class:`HarnessError` if it is a bench."""
        if self.folder.is_bench:
            raise HarnessError("run-is-a-bench", where=str(self.path))
        return read_model(self.folder.plan, RunPlan)

    @cached_property
    def verdict(self) -> Verdict:
        """Whether the gates held, and the reasons."""
        return Verdict.of(self.summary, self.path)

    @property
    def gates(self) -> tuple[GateResult, ...]:
        """What each gate required and observed, and whether it held: one result for each phase that a gate reads."""
        return tuple(self.summary.gates)

    @cached_property
    def phases(self) -> tuple[MeasuredPhase, ...]:
        """The phases that began, in order."""
        return tuple(map(MeasuredPhase.of_phase, self.summary.phases))

    def phase(self, name: str) -> MeasuredPhase:
        """The phase with that name (by default its kind). Raises :class:`HarnessError` if there was none."""
        for phase in self.phases:
            if phase.name == name:
                return phase
        raise HarnessError(
            "run-unknown-phase", phase=name, alternatives=alternatives(name, [phase.name for phase in self.phases])
        )

    @python_call
    def judge(
        self,
        require: str | Sequence[str] = (),
        *,
        phase: str | None = None,
        endpoint: str | None = None,
        profile: str | Path | None = None,
    ) -> Run:
        """Judge the run again, as ``harness gate`` does: write its results and reports anew and return them.

        By default its own gates apply. Otherwise those of ``require`` (``"p95 < 300ms"``, one or several) apply to
        ``phase`` and ``endpoint``, or those of ``profile``. Raises :class:`HarnessError` if these make no sense.
        """
        judged = api.judge.judge_folder(self.folder, require, phase=phase, endpoint=endpoint, profile=profile)
        return Run(self.folder, judged)

    @python_call
    def draw(self) -> Path:
        """Write the reports again, as ``harness report`` does, and return the path of ``report.html``."""
        control.finalize.draw_again(self.folder)
        return self.report

    @cached_property
    def figures(self) -> pd.DataFrame:
        """A row per phase: what :meth:`phase` has (``p95_ms``, ``throughput_rps``, …) as columns."""
        return api.tables.figures(self.summary)

    @cached_property
    def endpoints(self) -> pd.DataFrame:
        """A row per phase and endpoint."""
        return api.tables.endpoints(self.summary)

    @cached_property
    def benchmarks(self) -> pd.DataFrame:
        """A row per benchmark of a bench (``name, rounds, min_s, mean_s, median_s, p95_s, ops, …``), else none."""
        return api.tables.benchmarks(self.summary)

    @cached_property
    def steps(self) -> pd.DataFrame:
        """A row per step of a stress or search phase: ``level`` (users or arrivals per second), ``held``, figures."""
        return api.tables.steps(self.summary)

    @cached_property
    def failures(self) -> pd.DataFrame:
        """A row per kind of failure on an endpoint: ``method, name, failure, count, first_s, last_s``."""
        return api.tables.failures(self.summary)

    @cached_property
    def checks(self) -> pd.DataFrame:
        """A row per check and phase: ``name, phase, variant, passed, failed, share`` (0…1), ``interval``."""
        return api.tables.checks(self.summary)

    @cached_property
    def suspects(self) -> pd.DataFrame:
        """A row per function that costs more CPU per request than in the baseline, the greatest change first."""
        return api.tables.suspects(self.summary)

    @cached_property
    def timeline(self) -> pd.DataFrame:
        """A row per second, phase and endpoint: ``requests``, ``failures``, ``bytes_received``, ``p95_ms``, …

        ``second`` is the second of the run in which the requests ended.
        """
        return api.tables.timeline(self.folder, self.plan)

    @cached_property
    def resources(self) -> pd.DataFrame:
        """A row per reading and value: ``at_s, epoch_s, source, name, value``, as in ``resources.parquet``.

        Sources are ``target``, ``machine``, ``generator``, ``load``, ``worker-0``, … For one column each:
        ``run.resources.pivot_table(index="at_s", columns=["source", "name"], values="value")``.
        """
        return self.stream("resources")

    def stream(self, name: str) -> pd.DataFrame:
        """The table of a recorded stream: ``"requests"``, ``"resources"``, …, as in its Parquet file.

        Raises :class:`HarnessError` if the run did not record it.
        """
        return api.tables.stream(self.folder, name)

    def _repr_markdown_(self) -> str:
        """What a notebook shows."""
        # Here, as reports import jinja2, numpy and scipy, which a run does not need before its end.
        from harness.report.exporters.markdown import summary_markdown

        return summary_markdown(self.summary)

    def __repr__(self) -> str:
        return f"<Run {self.id}>"


class RunInterrupted(KeyboardInterrupt):
    """The run was interrupted by Ctrl-C or another signal. ``run`` is the judged result of what ran until then.

    It is a ``KeyboardInterrupt``, so it also ends a loop over several runs, or a test session.
    """

    def __init__(self, run: Run) -> None:
        super().__init__(f"the run was interrupted: {run.report}")
        self.run = run


@dataclass(frozen=True, repr=False)
class Verdict:
    """The verdict of a run: ``status`` is ``pass``, ``fail``, ``inconclusive`` or ``broken``.

    ``exit_code`` is the one of ``harness run``. ``reasons`` come in order of importance; that of a gate which did not
    hold names the requirement, the observed value with its 95 % interval, and the limit. ``folder`` is the run folder.

    A verdict is true if the run passed. ``str()`` gives the reasons, and where to see more.
    """

    status: summary.Verdict
    exit_code: int
    reasons: tuple[str, ...]
    folder: Path

    @classmethod
    def of(cls, result: summary.Summary, folder: Path) -> Verdict:
        """The verdict of a summary, without control characters that came from the target."""
        reasons = tuple(map(one_line, result.reasons))
        return cls(result.verdict, result.exit_code, reasons, folder)

    @property
    def passed(self) -> bool:
        """Every gate held, for certain. A run that is :attr:`inconclusive` has not passed."""
        return self.status == "pass"

    @property
    def failed(self) -> bool:
        """A gate did not hold, for certain, and the run is valid."""
        return self.status == "fail"

    @property
    def inconclusive(self) -> bool:
        """No gate failed for certain, but noise, too few requests or an interruption left one or more undecided."""
        return self.status == "inconclusive"

    @property
    def broken(self) -> bool:
        """The run itself is not valid: the target was lost, or the load generator was the bottleneck."""
        return self.status == "broken"

    @property
    def interrupted(self) -> bool:
        """The run was interrupted (Ctrl-C, SIGTERM); it is then inconclusive."""
        return self.exit_code == ExitCode.INTERRUPTED

    def __bool__(self) -> bool:
        return self.passed

    def __repr__(self) -> str:
        return f"<{self.status}: {self.folder.name}: {'; '.join(self.reasons)}>"

    def __str__(self) -> str:
        shown = shown_path(self.folder)
        more = (f"see more: harness gate {shlex.quote(shown)}", f"report: {shown}/report.html")
        return "\n".join((f"{self.status}: {self.reasons[0] if self.reasons else ''}", *self.reasons[1:], *more))

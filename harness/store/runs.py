"""The runs of a store: recorded with their figures, listed, and taken out."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import delete, select

from harness.errors import HarnessError
from harness.plan.bench import PROFILE as BENCH
from harness.record.benchmark_figures import BenchmarkFigures
from harness.record.comparison import MeasuredRun
from harness.record.measurement import Measurement
from harness.record.suite import PastBench
from harness.record.summary import Summary
from harness.store.database import Database
from harness.store.tables import BenchmarkRow, RunRow
from harness.store.windows import is_member


@dataclass(frozen=True, slots=True)
class RunEntry:
    """A run in the catalogue: its summary, its environment's fingerprint, and its folder."""

    summary: Summary
    fingerprint: str
    folder: Path
    commit: str | None = None
    """The commit that was measured; None keeps the one that the catalogue has."""
    measurement: Measurement | None = None
    """Its figures with their intervals; None keeps those that the catalogue has."""


class RunCatalogue(Database):
    """The runs of a store."""

    def record_run(self, entry: RunEntry) -> None:
        """Put a run into the catalogue, or replace its entry after it was copied or judged again.

        Where its copy is stays noted, unless ``entry`` names another place. Of a bench, its benchmarks are kept, too.
        """
        summary = entry.summary
        benchmarks = [
            BenchmarkRow(run_id=summary.run_id, test=figures.test, figures=figures.model_dump_json())
            for figures in summary.benchmarks
        ]
        with self._writing() as session:
            for each in (self._row(entry), *benchmarks):
                session.merge(each)

    def measured_run(self, run_id: str) -> MeasuredRun | None:
        """A run with its figures; None where the catalogue does not have them."""
        query = select(RunRow.measurement, RunRow.verdict, RunRow.fingerprint).where(RunRow.run_id == run_id)
        with self._reading() as session:
            row = session.execute(query).one_or_none()
        if row is None or row.measurement is None:
            return None
        return MeasuredRun(
            self._parsed(row.measurement, Measurement, "measurement", run_id), row.verdict, row.fingerprint
        )

    def entry_of(self, run_id: str) -> RunEntry | None:
        """A run as it was recorded; None where the catalogue does not have its figures."""
        columns = (RunRow.summary, RunRow.measurement, RunRow.fingerprint, RunRow.folder)
        with self._reading() as session:
            row = session.execute(select(*columns).where(RunRow.run_id == run_id)).one_or_none()
        if row is None or row.measurement is None:
            return None
        return RunEntry(
            self._parsed(row.summary, Summary, "summary", run_id),
            row.fingerprint,
            self._reports / row.folder,
            measurement=self._parsed(row.measurement, Measurement, "measurement", run_id),
        )

    def forget_run(self, run_id: str) -> bool:
        """Remove a run from the catalogue; returns whether it was removed. A run of a baseline stays."""
        with self._writing() as session:
            if is_member(session, run_id):
                return False
            query = delete(RunRow).where(RunRow.run_id == run_id)
            taken = bool(session.scalars(query.returning(RunRow.run_id)).all())
            if taken:
                session.execute(delete(BenchmarkRow).where(BenchmarkRow.run_id == run_id))
        return taken

    def is_of_a_baseline(self, run_id: str) -> bool:
        """Whether any baseline has that run."""
        with self._reading() as session:
            return is_member(session, run_id)

    def benchmark_history(self, suite: str, fingerprint: str, *, most: int) -> list[PastBench]:
        """The ``most`` latest benches of a suite in one environment, the earliest first."""
        benches = (
            select(RunRow.run_id, RunRow.started_at)
            .filter_by(scenario=suite, profile=BENCH, fingerprint=fingerprint)
            .order_by(RunRow.started_at.desc(), RunRow.run_id.desc())
            .limit(most)
        )
        with self._reading() as session:
            found = session.execute(benches).all()
            rows = session.execute(
                select(BenchmarkRow.run_id, BenchmarkRow.figures).where(
                    BenchmarkRow.run_id.in_([run_id for run_id, _ in found])
                )
            ).all()
        texts: dict[str, list[str]] = {}
        for run_id, text in rows:
            texts.setdefault(run_id, []).append(text)
        return [
            PastBench(
                run_id=run_id,
                started_at=started_at.isoformat(),
                benchmarks=[
                    self._parsed(text, BenchmarkFigures, "benchmark", run_id) for text in texts.get(run_id, [])
                ],
            )
            for run_id, started_at in reversed(found)
        ]

    def verdicts(self, run_ids: Iterable[str]) -> dict[str, str]:
        """The verdicts of those of these runs that the catalogue has."""
        query = select(RunRow.run_id, RunRow.verdict).where(RunRow.run_id.in_(list(run_ids)))
        with self._reading() as session:
            return {row.run_id: row.verdict for row in session.execute(query)}

    def _row(self, entry: RunEntry) -> RunRow:
        summary = entry.summary
        row = RunRow(
            run_id=summary.run_id,
            scenario=summary.scenario,
            # A measurement's keeps duets apart.
            profile=entry.measurement.profile if entry.measurement else summary.profile,
            fingerprint=entry.fingerprint,
            started_at=_parse_utc(summary.started_at, summary.run_id),
            verdict=summary.verdict,
            exit_code=summary.exit_code,
            folder=self._portable(entry.folder),
            summary=summary.model_dump_json(by_alias=True),
        )
        # A merged row changes only the columns that were set.
        if entry.commit is not None:
            row.target_commit = entry.commit
        if entry.measurement is not None:
            row.measurement = entry.measurement.model_dump_json()
        return row

    def _portable(self, folder: Path) -> str:
        whole, reports = folder.resolve(), self._reports.resolve()
        return str(whole.relative_to(reports) if whole.is_relative_to(reports) else whole)


def _parse_utc(iso: str, run_id: str) -> datetime:
    try:
        time = datetime.fromisoformat(iso)
    except ValueError as error:
        raise HarnessError("started-at-invalid", where=f"run {run_id}", value=iso) from error
    return time if time.tzinfo else time.replace(tzinfo=UTC)

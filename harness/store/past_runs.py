"""The measurements of a scenario's runs over time."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import func, select

from harness.errors import ExitCode
from harness.record.history import HistoryRun
from harness.record.measurement import Accepted, Measurement
from harness.store.database import Database
from harness.store.tables import AcceptedRow, RunRow
from harness.store.windows import Key, is_of

MOST_RUNS = 200
"""A history shows the latest."""
_IN_A_HISTORY = (
    RunRow.exit_code.in_([ExitCode.PASS, ExitCode.FAIL, ExitCode.INCONCLUSIVE]),
    RunRow.measurement.is_not(None),
)


class PastRuns(Database):
    """What a store knows of the past of one scenario, profile and environment."""

    def past_runs(self, key: Key, *, before: datetime | None = None) -> list[tuple[HistoryRun, Measurement]]:
        """Its :data:`MOST_RUNS` latest runs that began ``before`` that moment, with figures, the earliest first.

        Failed ones belong to it; those that broke or were interrupted have no figures of the target.
        """
        query = (
            select(RunRow.run_id, RunRow.started_at, RunRow.verdict, RunRow.target_commit, RunRow.measurement)
            .where(is_of(RunRow, key), *_IN_A_HISTORY)
            .order_by(RunRow.started_at.desc(), RunRow.run_id.desc())
            .limit(MOST_RUNS)
        )
        if before is not None:
            query = query.where(RunRow.started_at < before)
        with self._reading() as session:
            rows = session.execute(query).all()
        return [
            (
                HistoryRun(
                    run_id=row.run_id,
                    started_at=row.started_at.isoformat(),
                    verdict=row.verdict,
                    commit=row.target_commit,
                ),
                self._parsed(row.measurement, Measurement, "measurement", row.run_id),
            )
            for row in reversed(rows)
        ]

    def in_a_history(self) -> set[str]:
        """The ids of all runs that :meth:`past_runs` has, of whichever scenario, profile and environment."""
        newest = func.row_number().over(
            partition_by=(RunRow.scenario, RunRow.profile, RunRow.fingerprint),
            order_by=(RunRow.started_at.desc(), RunRow.run_id.desc()),
        )
        ranked = select(RunRow.run_id, newest.label("place")).where(*_IN_A_HISTORY).subquery()
        with self._reading() as session:
            return set(session.scalars(select(ranked.c.run_id).where(ranked.c.place <= MOST_RUNS)))

    def accepted(self, key: Key) -> list[Accepted]:
        """What was accepted after an intended change, the earliest first."""
        with self._reading() as session:
            rows = session.scalars(select(AcceptedRow).where(is_of(AcceptedRow, key)).order_by(AcceptedRow.accepted_at))
            return [Accepted(run_id=row.run_id, accepted_at=row.accepted_at.isoformat(), why=row.why) for row in rows]

"""The store's tables: one row a run, one row a baseline run, one row a benchmark of a bench.

What is searched by has a column of its own; the rest is the JSON text of the run folder's own formats. It is text
and not ``JSONB`` since a failure's sample may hold ``\\u0000``, which ``JSONB`` refuses.

A baseline is a set of runs: its rows name runs, whose measurements are what later runs are compared with. A run that a
baseline names is never deleted. The names begin with ``harness_``, for a team's database may hold other tables.
A change here needs a migration (``migrations/versions``); a test compares the two. Migrations only add what may be left
out: a run that began under an older harness ends by writing into the store that a newer one has upgraded meanwhile.
"""

from __future__ import annotations

from datetime import UTC, datetime

from sqlalchemy import DateTime, Dialect, Index, LargeBinary, MetaData, Text, TypeDecorator
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


class UtcDateTime(TypeDecorator[datetime]):
    """A moment, in UTC. SQLite keeps no time zone, so it is put back on reading."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002  (SQLAlchemy's signature)
        return value and value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        return value and (value.astimezone(UTC) if value.tzinfo else value.replace(tzinfo=UTC))


class Base(DeclarativeBase):
    metadata = MetaData(naming_convention={"pk": "pk_%(table_name)s", "ix": "ix_%(table_name)s_%(column_0_N_name)s"})
    type_annotation_map = {datetime: UtcDateTime, str: Text}  # noqa: RUF012  (SQLAlchemy's attribute)


class RunRow(Base):
    """One run."""

    __tablename__ = "harness_run"
    __table_args__ = (Index(None, "scenario", "profile", "started_at"),)

    run_id: Mapped[str] = mapped_column(primary_key=True)
    scenario: Mapped[str]
    profile: Mapped[str]
    fingerprint: Mapped[str]
    started_at: Mapped[datetime]
    verdict: Mapped[str]
    exit_code: Mapped[int]
    folder: Mapped[str]
    """The run folder; relative to the folder of runs where it lies below it, so that both can be moved together."""
    artifact: Mapped[str | None]
    """Where the copy of the run folder is (``harness.control.artifacts``); null where none was made."""
    summary: Mapped[str]
    """``record.summary.Summary`` as JSON."""
    measurement: Mapped[str | None] = mapped_column(deferred=True)
    """``record.measurement.Measurement`` as JSON; null for a run recorded before stores kept it. By far the largest."""


class BenchmarkRow(Base):
    """One benchmark of one bench: what its rounds came to, and the rounds."""

    __tablename__ = "harness_benchmark"
    __table_args__ = (Index(None, "test", "run_id"),)

    run_id: Mapped[str] = mapped_column(primary_key=True)
    test: Mapped[str] = mapped_column(primary_key=True)
    figures: Mapped[str]
    """``record.summary.BenchmarkFigures`` as JSON."""
    rounds: Mapped[bytes] = mapped_column(LargeBinary, deferred=True)
    """The seconds of each round, in order, as ``store.rounds`` packs them."""


class BaselineRow(Base):
    """One run of the baseline of (scenario, profile, fingerprint)."""

    __tablename__ = "harness_baseline"

    scenario: Mapped[str] = mapped_column(primary_key=True)
    profile: Mapped[str] = mapped_column(primary_key=True)
    fingerprint: Mapped[str] = mapped_column(primary_key=True)
    run_id: Mapped[str] = mapped_column(primary_key=True)
    started_at: Mapped[datetime]
    set_at: Mapped[datetime]
    run: Mapped[str | None] = mapped_column(deferred=True)
    """The run's figures before revision 0004, for a run that began under an older harness and still reads them."""

"""The store's tables: a row per run, per run of a baseline, per window, and per benchmark of a bench.

What is searched for has its own column; the rest is JSON in the formats of the run folder. It is text, not ``JSONB``:
a sample of a failure may contain ``\\u0000``, which ``JSONB`` rejects.

A baseline is a set of runs, whose measurements are what later runs are compared with: those that somebody pinned, by
name, or else the window of the latest. A run of a baseline is never deleted. Names of tables begin with ``harness_``,
since a team's database may have others.

A change here needs a migration (``migrations/versions``); a test compares the two. Migrations only add what may be left
out: a run that began under an older harness writes into a store that a newer one has upgraded in the meantime.
"""

from __future__ import annotations

from datetime import UTC, datetime

from sqlalchemy import DateTime, Dialect, Index, LargeBinary, MetaData, Text, TypeDecorator
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


class UtcDateTime(TypeDecorator[datetime]):
    """A moment in UTC. SQLite stores no time zone, so it is added when read."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002  (SQLAlchemy's signature)
        return value and value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        return value and (value.astimezone(UTC) if value.tzinfo else value.replace(tzinfo=UTC))


class PlainText(TypeDecorator[str]):
    """A text. SQLite keeps values of any type in any column, and what is not a text would fail somewhere later."""

    impl = Text
    cache_ok = True

    def process_result_value(self, value: str | None, dialect: Dialect) -> str | None:  # noqa: ARG002  (as above)
        if value is not None and not isinstance(value, str):
            raise TypeError(f"{value!r} is not text")
        return value


class Base(DeclarativeBase):
    metadata = MetaData(naming_convention={"pk": "pk_%(table_name)s", "ix": "ix_%(table_name)s_%(column_0_N_name)s"})
    type_annotation_map = {datetime: UtcDateTime, str: PlainText}  # noqa: RUF012  (SQLAlchemy's attribute)


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
    """The run folder; relative if it is below the folder of runs, so that both can be moved together."""
    summary: Mapped[str]
    """``record.summary.Summary`` as JSON."""
    measurement: Mapped[str | None] = mapped_column(deferred=True)
    """``record.measurement.Measurement`` as JSON; null for a run recorded before stores kept it. By far the largest."""
    target_commit: Mapped[str | None]
    """The commit that was measured: the target's, or else the scenario's."""


class BenchmarkRow(Base):
    """One benchmark of one bench."""

    __tablename__ = "harness_benchmark"
    __table_args__ = (Index(None, "test", "run_id"),)

    run_id: Mapped[str] = mapped_column(primary_key=True)
    test: Mapped[str] = mapped_column(primary_key=True)
    figures: Mapped[str]
    """``record.benchmark_figures.BenchmarkFigures`` as JSON."""
    rounds: Mapped[bytes] = mapped_column(LargeBinary, deferred=True, default=b"")
    """Empty: the run folder has them. Earlier versions of the harness still write them."""


class BaselineRow(Base):
    """One run that is pinned as baseline of (scenario, profile, fingerprint)."""

    __tablename__ = "harness_baseline"

    scenario: Mapped[str] = mapped_column(primary_key=True)
    profile: Mapped[str] = mapped_column(primary_key=True)
    fingerprint: Mapped[str] = mapped_column(primary_key=True)
    run_id: Mapped[str] = mapped_column(primary_key=True)
    started_at: Mapped[datetime]
    set_at: Mapped[datetime]
    run: Mapped[str | None] = mapped_column(deferred=True)
    """The run's figures before revision 0004, for a run that began under an older harness and still reads them."""


class WindowRow(Base):
    """The baseline of (scenario, profile, fingerprint) slides, unless runs of it are pinned."""

    __tablename__ = "harness_window"

    scenario: Mapped[str] = mapped_column(primary_key=True)
    profile: Mapped[str] = mapped_column(primary_key=True)
    fingerprint: Mapped[str] = mapped_column(primary_key=True)
    most: Mapped[int]
    """How many runs it holds; see :mod:`harness.store.windows`."""
    set_at: Mapped[datetime]


class AcceptedRow(Base):
    """A run that was accepted after an intended change: the window begins with the one accepted last."""

    __tablename__ = "harness_accepted"

    scenario: Mapped[str] = mapped_column(primary_key=True)
    profile: Mapped[str] = mapped_column(primary_key=True)
    fingerprint: Mapped[str] = mapped_column(primary_key=True)
    run_id: Mapped[str] = mapped_column(primary_key=True)
    started_at: Mapped[datetime]
    accepted_at: Mapped[datetime]
    why: Mapped[str]


class CalibrationRow(Base):
    """How much runs of one build vary in (scenario, profile, fingerprint)."""

    __tablename__ = "harness_calibration"

    scenario: Mapped[str] = mapped_column(primary_key=True)
    profile: Mapped[str] = mapped_column(primary_key=True)
    fingerprint: Mapped[str] = mapped_column(primary_key=True)
    calibrated_at: Mapped[datetime]
    calibration: Mapped[str]
    """``record.calibration.Calibration`` as JSON."""

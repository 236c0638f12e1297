"""The store as the rest of the harness sees it: runs recorded, baselines set, found, listed and removed.

A baseline belongs to one scenario, one profile and one environment fingerprint: figures of another machine say
nothing about a change of code.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import groupby
from pathlib import Path
from types import TracebackType
from typing import Self, TypeVar

from pydantic import BaseModel, ValidationError
from sqlalchemy import ColumnElement, Engine, and_, delete, func, select
from sqlalchemy.orm import Session

from harness.errors import HarnessError
from harness.plan.bench import PROFILE as BENCH
from harness.record.measurement import Baseline, Measurement
from harness.record.suite import PastBench, Rounds
from harness.record.summary import BenchmarkFigures, Summary
from harness.store.address import VARIABLE, Address, resolve
from harness.store.engine import connect, reported_errors, writer
from harness.store.rounds import pack, unpack
from harness.store.tables import BaselineRow, BenchmarkRow, RunRow
from harness.store.upgrade import upgrade

_Model = TypeVar("_Model", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class RunEntry:
    """One run in the catalogue: its whole summary, the environment it ran in, and where its folder lies."""

    summary: Summary
    fingerprint: str
    folder: Path
    artifact: str | None = None
    """Where its copy is, below the place that ``HARNESS_ARTIFACTS`` named then; None where none was made."""
    measurement: Measurement | None = None
    """Its figures with their intervals; recorded without, a run keeps those that the catalogue has."""


@dataclass(frozen=True, slots=True)
class StoredRun:
    """One run in the catalogue, without its figures: what retention goes by."""

    run_id: str
    scenario: str
    profile: str
    started_at: datetime
    verdict: str
    folder: Path
    artifact: str | None


@dataclass(frozen=True, slots=True)
class BaselineEntry:
    """One baseline, without its figures: what it is the baseline of, and its runs' ids, latest run first."""

    scenario: str
    profile: str
    fingerprint: str
    run_ids: tuple[str, ...]
    started_at: datetime
    """When the latest of its runs started."""
    set_at: datetime
    """When the baseline was last changed."""


class Store:
    """An open store; use it in a ``with``. Made by :func:`open_store`.

    Each method is one transaction, safe beside other processes. Each raises :class:`HarnessError` where the database
    cannot be reached or is damaged.
    """

    def __init__(self, engine: Engine, address: Address, reports: Path) -> None:
        self._engine = engine
        self._address = address
        self._reports = reports

    @property
    def shown(self) -> str:
        """The store as people may see it: its file, or its URL without the password."""
        return self._address.shown

    def record_run(self, entry: RunEntry, rounds: Mapping[str, Rounds] | None = None) -> None:
        """Put a run into the catalogue. Recorded again (it was copied, or judged again), it replaces its former entry.

        Where its copy is stays noted, unless ``entry`` names another place. ``rounds`` are those of a bench (seconds,
        by the benchmark's id), kept with its figures as :mod:`harness.store.rounds` does; without, what is kept stays.
        """
        summary = entry.summary
        row = self._row(entry)
        benchmarks = [
            BenchmarkRow(
                run_id=summary.run_id,
                test=figures.test,
                figures=figures.model_dump_json(),
                rounds=pack(rounds[figures.test]),
            )
            for figures in summary.benchmarks
            if rounds is not None
        ]
        with self._writing() as session:
            for each in (row, *benchmarks):
                session.merge(each)

    def list_runs(self, scenario: str | None = None, profile: str | None = None) -> list[RunEntry]:
        """The runs of the catalogue, latest first; of one scenario, one profile, or all."""
        query = select(RunRow).filter_by(**_given(scenario=scenario, profile=profile))
        with self._reading() as session:
            rows = session.scalars(query.order_by(RunRow.started_at.desc(), RunRow.run_id.desc())).all()
        return [
            RunEntry(
                self._kept(row.summary, Summary, f"the summary of run {row.run_id}"),
                row.fingerprint,
                self._reports / row.folder,
                row.artifact,
            )
            for row in rows
        ]

    def stored_runs(self) -> list[StoredRun]:
        """All runs of the catalogue, latest first, also those whose figures this harness cannot read."""
        columns = (RunRow.run_id, RunRow.scenario, RunRow.profile, RunRow.started_at, RunRow.verdict)
        query = select(*columns, RunRow.folder, RunRow.artifact).order_by(
            RunRow.started_at.desc(), RunRow.run_id.desc()
        )
        with self._reading() as session:
            rows = session.execute(query).all()
        return [StoredRun(*row[:5], self._reports / row.folder, row.artifact) for row in rows]

    def artifact_of(self, run_id: str) -> str | None:
        """Where the copy of that run is; None where the run is not known, or no copy was made."""
        with self._reading() as session:
            return session.scalar(select(RunRow.artifact).filter_by(run_id=run_id))

    def forget_run(self, run_id: str) -> bool:
        """Take a run out of the catalogue; whether it was taken out. One that a baseline names stays."""
        of_a_baseline = select(BaselineRow.run_id)
        query = delete(RunRow).where(RunRow.run_id == run_id, RunRow.run_id.not_in(of_a_baseline))
        with self._writing() as session:
            taken = bool(session.scalars(query.returning(RunRow.run_id)).all())
            if taken:
                session.execute(delete(BenchmarkRow).where(BenchmarkRow.run_id == run_id))
        return taken

    def benchmark_rounds(self, run_id: str) -> dict[str, Rounds]:
        """The rounds that are kept of each benchmark of a bench, by its id."""
        query = select(BenchmarkRow.test, BenchmarkRow.rounds).filter_by(run_id=run_id)
        with self._reading() as session:
            return {test: unpack(packed) for test, packed in session.execute(query).all()}

    def benchmark_history(self, suite: str, fingerprint: str, *, most: int) -> list[PastBench]:
        """The latest benches of a suite in one environment, the earliest of them first."""
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
                    self._kept(text, BenchmarkFigures, f"a benchmark of run {run_id}") for text in texts.get(run_id, [])
                ],
            )
            for run_id, started_at in reversed(found)
        ]

    def is_of_a_baseline(self, run_id: str) -> bool:
        """Whether that run is part of any baseline."""
        with self._reading() as session:
            return session.scalar(select(BaselineRow.run_id).filter_by(run_id=run_id).limit(1)) is not None

    def set_baseline(self, entry: RunEntry, *, replace: bool, up_to: int | None = None) -> bool:
        """Make a run, which must have its measurement, the baseline of its scenario, profile and environment.

        With ``replace`` it is the only run of that baseline from now on; without, it joins the runs there are, with
        ``up_to`` only while they are fewer than that. Whether it was put there.
        """
        run = self._row(entry)
        key = (run.scenario, run.profile, run.fingerprint)
        row = BaselineRow(
            scenario=key[0],
            profile=key[1],
            fingerprint=key[2],
            run_id=run.run_id,
            started_at=run.started_at,
            set_at=datetime.now(UTC),
        )
        with self._writing() as session:
            if up_to is not None:
                of_it = select(func.count()).select_from(BaselineRow).where(_is_of(*key))
                if (session.scalar(of_it) or 0) >= up_to:
                    return False
            if replace:
                session.execute(delete(BaselineRow).where(_is_of(*key)))
            known = session.get(RunRow, run.run_id)
            if known is not None:
                run.folder = known.folder  # the folder that was measured may be a copy
            session.merge(run)
            session.merge(row)
        return True

    def baseline_for(self, scenario: str, profile: str, fingerprint: str) -> Baseline | None:
        """What a run of these is compared with, its latest run first; None where no baseline was set."""
        query = (
            select(RunRow.run_id, RunRow.measurement)
            .join(BaselineRow, BaselineRow.run_id == RunRow.run_id)
            .where(_is_of(scenario, profile, fingerprint))
            .order_by(BaselineRow.started_at.desc(), BaselineRow.run_id.desc())
        )
        with self._reading() as session:
            rows = session.execute(query).all()
        if not rows:
            return None
        runs = [self._kept(text or "", Measurement, f"the baseline run {run_id}") for run_id, text in rows]
        return Baseline(scenario=scenario, profile=profile, fingerprint=fingerprint, runs=runs)

    def measurement_of(self, run_id: str) -> Measurement | None:
        """What a run measured; None where the catalogue does not have it."""
        with self._reading() as session:
            text = session.scalar(select(RunRow.measurement).filter_by(run_id=run_id))
        return None if text is None else self._kept(text, Measurement, f"the measurement of run {run_id}")

    def verdicts(self, run_ids: Iterable[str]) -> dict[str, str]:
        """The verdict of each of these runs that the catalogue has."""
        query = select(RunRow.run_id, RunRow.verdict).where(RunRow.run_id.in_(list(run_ids)))
        with self._reading() as session:
            return dict(session.execute(query).tuples().all())

    def list_baselines(self, scenario: str | None = None, profile: str | None = None) -> list[BaselineEntry]:
        """All baselines (of one scenario, of one profile), by scenario, profile and fingerprint."""
        query = (
            select(BaselineRow)
            .filter_by(**_given(scenario=scenario, profile=profile))
            .order_by(BaselineRow.scenario, BaselineRow.profile, BaselineRow.fingerprint)
            .order_by(BaselineRow.started_at.desc(), BaselineRow.run_id.desc())
        )
        with self._reading() as session:
            rows = session.scalars(query).all()
        entries = []
        for key, group in groupby(rows, lambda row: (row.scenario, row.profile, row.fingerprint)):
            runs = list(group)
            run_ids = tuple(row.run_id for row in runs)
            entries.append(BaselineEntry(*key, run_ids, runs[0].started_at, max(row.set_at for row in runs)))
        return entries

    def remove_baseline(self, scenario: str, profile: str, fingerprint: str, run_id: str | None = None) -> list[str]:
        """Remove a baseline, or only its run ``run_id``. Returns the ids of the runs removed, none where none was."""
        query = delete(BaselineRow).where(_is_of(scenario, profile, fingerprint)).returning(BaselineRow.run_id)
        if run_id is not None:
            query = query.where(BaselineRow.run_id == run_id)
        with self._writing() as session:
            return sorted(session.scalars(query).all(), reverse=True)

    def close(self) -> None:
        """Let go of the database."""
        self._engine.dispose()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @contextmanager
    def _reading(self) -> Iterator[Session]:
        with reported_errors(self._address), Session(self._engine, expire_on_commit=False) as session, session.begin():
            yield session

    @contextmanager
    def _writing(self) -> Iterator[Session]:
        with reported_errors(self._address), Session(writer(self._engine)) as session, session.begin():
            yield session

    def _row(self, entry: RunEntry) -> RunRow:
        summary = entry.summary
        row = RunRow(
            run_id=summary.run_id,
            scenario=summary.scenario,
            profile=summary.profile,
            fingerprint=entry.fingerprint,
            started_at=_moment(summary.started_at, summary.run_id),
            verdict=summary.verdict,
            exit_code=summary.exit_code,
            folder=self._portable(entry.folder),
            summary=summary.model_dump_json(by_alias=True),
        )
        # What is not given stays as the catalogue has it: a row that is merged changes only what was set.
        if entry.artifact is not None:
            row.artifact = entry.artifact
        if entry.measurement is not None:
            row.measurement = entry.measurement.model_dump_json()
        return row

    def _portable(self, folder: Path) -> str:
        whole, reports = folder.resolve(), self._reports.resolve()
        return str(whole.relative_to(reports) if whole.is_relative_to(reports) else whole)

    def _kept(self, text: str, model: type[_Model], what: str) -> _Model:
        """What a row keeps as JSON; ``what`` names it where it cannot be read."""
        try:
            return model.model_validate_json(text)
        except ValidationError as fault:
            raise HarnessError(
                f"{what} in the store is damaged, or of another version of the harness",
                where=self.shown,
                hint="Set it anew from its folder (`harness baseline set RUN`), or upgrade the harness.",
            ) from fault


def open_store(url: str | None, reports: Path) -> Store:
    """Open the store, making or upgrading its tables.

    ``url`` is a SQLAlchemy URL of SQLite or PostgreSQL; None: ``HARNESS_STORE``, else ``store.sqlite`` in ``reports``
    (the folder that run folders are made in, made here where it is missing).

    Raises :class:`HarnessError` where the URL is wrong, the driver is missing, the file is damaged, the server does
    not answer, or a newer harness has written the store.
    """
    address = resolve(url, reports)
    if address.file is not None:
        _need_folder(address.file.parent, make=address.file.parent == reports)
    engine = connect(address)
    with reported_errors(address):
        upgrade(engine, address.shown)
    return Store(engine, address, reports)


def _need_folder(folder: Path, *, make: bool) -> None:
    try:
        if make:
            folder.mkdir(parents=True, exist_ok=True)
    except OSError as fault:
        raise HarnessError(
            f"the folder for the store cannot be made: {fault.strerror or fault}",
            where=str(folder),
            hint="Give a folder that can be written: --out DIR",
        ) from fault
    if not folder.is_dir():
        raise HarnessError(
            "the store's folder does not exist", where=str(folder), hint=f"Make it, or change {VARIABLE}."
        )


def _is_of(scenario: str, profile: str, fingerprint: str) -> ColumnElement[bool]:
    return and_(
        BaselineRow.scenario == scenario, BaselineRow.profile == profile, BaselineRow.fingerprint == fingerprint
    )


def _given(**filters: str | None) -> dict[str, str]:
    return {column: value for column, value in filters.items() if value is not None}


def _moment(iso: str, run_id: str) -> datetime:
    try:
        moment = datetime.fromisoformat(iso)
    except ValueError as fault:
        raise HarnessError(f"started_at is no ISO 8601 time: {iso!r}", where=f"run {run_id}") from fault
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)

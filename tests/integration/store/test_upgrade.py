"""Opening a store brings its tables to this harness's version, and never touches one of a newer harness."""

from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine, inspect, text

import harness.store
from harness.control.finalize import conclude
from harness.errors import HarnessError
from harness.plan.model.run import RunPlan
from harness.record.measurement import ALL, Measurement
from harness.record.run_folder import read_model
from harness.store import RunEntry, open_store
from harness.store.address import resolve
from harness.store.opening import NEWEST, VERSION_TABLE
from harness.store.tables import Base
from tests.support.baselines import make_measurement, make_summary
from tests.support.old_store import make_first_store
from tests.support.plans import steady
from tests.support.recordings import make_environment, record_run
from tests.support.stores import rows


def schema(url: str) -> dict[str, object]:
    """What a store consists of, table by table, once it is the one that the code uses."""
    open_store(url, Path()).close()
    engine = create_engine(resolve(url, Path()).url)
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"version_table": VERSION_TABLE, "compare_type": True})
        assert compare_metadata(context, Base.metadata) == []
        found = inspect(connection)
        tables = {
            table: (
                [(column["name"], str(column["type"]), column["nullable"]) for column in found.get_columns(table)],
                found.get_pk_constraint(table),
                found.get_indexes(table),
            )
            for table in found.get_table_names()
        }
        version = connection.scalar(text(f"SELECT version_num FROM {VERSION_TABLE}"))
    engine.dispose()
    return {**tables, "version": version}


def test_a_new_store_has_the_tables_that_the_migrations_make(store_url: str, old_store_url: str) -> None:
    make_first_store(old_store_url)
    assert schema(store_url) == schema(old_store_url)


def test_the_newest_version_is_that_of_the_last_migration() -> None:
    config = Config()
    config.set_main_option("script_location", str(Path(harness.store.__file__).parent / "migrations"))
    assert ScriptDirectory.from_config(config).get_current_head() == NEWEST


def test_a_store_of_an_older_harness_is_upgraded_in_place(store_url: str, tmp_path: Path) -> None:
    make_first_store(store_url)
    with open_store(store_url, tmp_path) as store:
        _, run = store.list_runs()  # the baseline's run is one of the catalogue from now on
        assert (run.run_id, run.folder) == (make_summary(1).run_id, tmp_path / make_summary(1).run_id)
        baseline = store.baseline_for("flash_sale", "load", "f1")
        assert baseline is not None
        assert baseline.runs == [make_measurement(2)]
        store.record_run(RunEntry(make_summary(1), "f1", tmp_path))
        assert [run.folder for run in store.list_runs()][-1] == tmp_path
    engine = create_engine(resolve(store_url, tmp_path).url)
    with engine.connect() as connection:
        assert connection.scalar(text(f"SELECT version_num FROM {VERSION_TABLE}")) == NEWEST
    engine.dispose()


def test_the_next_run_is_compared_with_the_baseline_of_an_older_store(store_url: str, tmp_path: Path) -> None:
    make_first_store(store_url)
    environment = make_environment("f1")
    phases = [steady(name="held", seconds=10)]
    folder = record_run(
        tmp_path, profile="load", phases=phases, gates=["p95 <= baseline + 10%"], environment=environment
    )
    with open_store(store_url, tmp_path) as store:
        summary = conclude(folder, read_model(folder.plan, RunPlan), environment, store)
    ((text_kept,),) = rows(store_url, f"SELECT measurement FROM harness_run WHERE run_id = '{summary.run_id}'")
    kept = Measurement.model_validate_json(text_kept)
    assert summary.baseline is not None
    assert summary.baseline.run_ids == [make_summary(2).run_id]
    assert [gate.baseline for gate in summary.gates] == [pytest.approx(200)]
    p95 = kept.figure("held", ALL, "p95")
    assert p95 is not None
    assert p95.value == summary.gates[0].observed


def test_a_teams_database_may_hold_other_tables(store_url: str, tmp_path: Path) -> None:
    engine = create_engine(resolve(store_url, tmp_path).url)
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL)"))
        connection.execute(text("INSERT INTO alembic_version VALUES ('of another program')"))
        connection.execute(text("CREATE TABLE runs (id INTEGER)"))
    with open_store(store_url, tmp_path) as store:
        store.record_run(RunEntry(make_summary(), "f1", tmp_path))
    with engine.connect() as connection:
        ours = {name for name in inspect(connection).get_table_names() if name.startswith("harness_")}
        assert ours == {table.name for table in Base.metadata.sorted_tables} | {VERSION_TABLE}
        assert connection.scalar(text("SELECT version_num FROM alembic_version")) == "of another program"
    engine.dispose()


def test_a_store_of_a_newer_harness_is_refused_and_left_alone(store_url: str, tmp_path: Path) -> None:
    with open_store(store_url, tmp_path) as store:
        store.record_run(RunEntry(make_summary(), "f1", tmp_path))
    engine = create_engine(resolve(store_url, tmp_path).url)
    with engine.begin() as connection:
        connection.execute(text(f"UPDATE {VERSION_TABLE} SET version_num = '9999'"))
    with pytest.raises(HarnessError) as raised:
        open_store(store_url, tmp_path)
    assert raised.value.code == "store-newer"
    assert (raised.value.params["found"], raised.value.params["newest"]) == ("9999", NEWEST)
    with engine.connect() as connection:
        assert connection.scalar(text("SELECT count(*) FROM harness_run")) == 1
    engine.dispose()

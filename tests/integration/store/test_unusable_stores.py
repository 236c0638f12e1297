"""A store that cannot be used is reported in one message: which store, what is wrong, what would be right."""

import contextlib
import os
import re
import socket
import sqlite3
import sys
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text

from harness.errors import ExitCode, HarnessError
from harness.store import RunEntry, database, open_store
from harness.store.address import resolve
from harness.store.database import writer
from harness.store.tables import RunRow
from tests.support import in_process
from tests.support.baselines import make_entry, make_summary
from tests.support.children import wait_until
from tests.support.errors import harness_error
from tests.support.postgresql import PostgreSQL
from tests.support.small_disk import small_disk


def _error_of_opening(url: str | None, reports: Path) -> HarnessError:
    with pytest.raises(HarnessError) as raised:
        open_store(url, reports)
    assert raised.value.exit_code is ExitCode.USAGE
    return raised.value


def test_the_folder_of_the_runs_is_made_where_it_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HARNESS_STORE", raising=False)
    open_store(None, tmp_path / "a" / "b").close()
    assert (tmp_path / "a" / "b" / "store.sqlite").is_file()


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    error = _error_of_opening(None, tmp_path / "file" / "reports")
    assert (error.code, error.params["error"]) == ("store-folder-not-made", "Not a directory")
    assert error.where == str(tmp_path / "file" / "reports")


def test_another_folder_is_not_made_but_asked_for(tmp_path: Path) -> None:
    error = _error_of_opening(f"sqlite:///{tmp_path}/typo/store.sqlite", tmp_path)
    assert (error.code, error.where) == ("store-folder-missing", f"{tmp_path}/typo")
    assert not (tmp_path / "typo").exists()


def test_a_file_that_is_not_a_store(tmp_path: Path) -> None:
    (tmp_path / "store.sqlite").write_text("not a database, but longer than its header of 100 bytes " * 9)
    error = _error_of_opening(None, tmp_path)
    assert (error.code, error.where) == ("store-file-damaged", f"{tmp_path}/store.sqlite")
    assert error.params["reason"] == "file is not a database"


def test_a_damaged_file(tmp_path: Path) -> None:
    path = tmp_path / "store.sqlite"
    with open_store(None, tmp_path) as store:
        store.set_baseline(make_entry(), replace=True)
    content = bytearray(path.read_bytes())
    content[4096:] = b"\xa5" * (len(content) - 4096)  # all but the page that lists the tables
    path.write_bytes(content)
    error = _error_of_opening(None, tmp_path)
    assert (error.code, error.where) == ("store-file-damaged", str(path))
    assert error.params["reason"] == "database disk image is malformed"


@pytest.mark.parametrize("junk", ["run_id = CAST(x'ff' AS TEXT)", "started_at = 'yesterday'", "started_at = 7"])
def test_a_damaged_row_is_not_called_a_locked_file(tmp_path: Path, junk: str) -> None:
    summary = make_summary(scenario="suite", profile="bench")
    with open_store(None, tmp_path) as store:
        store.record_run(RunEntry(summary, "f1", tmp_path))
    with contextlib.closing(sqlite3.connect(tmp_path / "store.sqlite")) as raw:
        raw.execute(f"UPDATE {RunRow.__tablename__} SET {junk}")
        raw.commit()
    with open_store(None, tmp_path) as store, pytest.raises(HarnessError) as raised:
        store.benchmark_history(summary.scenario, "f1", most=1)
    assert (raised.value.code, raised.value.where) == ("store-file-damaged", f"{tmp_path}/store.sqlite")


def test_a_folder_where_the_file_should_be(tmp_path: Path) -> None:
    (tmp_path / "store.sqlite").mkdir()
    error = _error_of_opening(None, tmp_path)
    assert (error.code, error.params["reason"]) == ("store-file-failed", "unable to open database file")


def test_a_store_that_may_only_be_read_can_be_read(tmp_path: Path) -> None:
    with open_store(None, tmp_path) as store:
        store.record_run(RunEntry(make_summary(), "f1", tmp_path))
    with open_store(f"sqlite:///file:{tmp_path}/store.sqlite?mode=ro&uri=true", Path()) as store:
        assert len(store.list_runs()) == 1
        with pytest.raises(HarnessError) as raised:
            store.record_run(RunEntry(make_summary(), "f1", tmp_path))
    assert raised.value.params["reason"] == "attempt to write a readonly database"


def test_a_writer_that_never_ends_is_not_waited_for_for_ever(
    store_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "_WAIT_S", 1)
    with open_store(store_url, tmp_path) as store:
        holder = database.connect(resolve(store_url, tmp_path))
        with (
            writer(holder).begin(),
            pytest.raises(HarnessError) as raised,
        ):
            store.record_run(RunEntry(make_summary(), "f1", tmp_path))
        assert raised.value.code in ("store-file-failed", "store-server-failed")
        assert re.search("database is locked|lock timeout", str(raised.value.params["reason"]))
        assert raised.value.where == store.shown
        store.record_run(RunEntry(make_summary(), "f1", tmp_path))  # and once the other has ended, the store works
        assert len(store.list_runs()) == 1


@pytest.mark.parametrize("words", [["runs"], ["baseline", "rm", "x"]])
def test_ctrl_c_ends_the_wait_for_a_locked_store(
    words: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "_WAIT_S", 10_000)
    open_store(None, tmp_path / "reports").close()
    with contextlib.closing(sqlite3.connect(tmp_path / "reports" / "store.sqlite", isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")

        def press() -> None:
            wait_until(lambda: _opened(tmp_path / "reports" / "store.sqlite") > 1, what="the wait")
            in_process.press_ctrl_c()

        assert in_process.harness(*words, cwd=tmp_path, meanwhile=press).exit_code == 130


def _opened(file: Path) -> int:
    """How often this process has opened it."""
    return [os.path.realpath(link) for link in Path("/proc/self/fd").iterdir()].count(str(file))


def test_a_frozen_runner_does_not_hold_up_the_team(
    postgresql: PostgreSQL, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "_IDLE_S", 1)
    url = postgresql.new_database()
    with open_store(url, tmp_path) as store:
        frozen = writer(database.connect(resolve(url, tmp_path))).connect()
        frozen.begin()
        store.record_run(RunEntry(make_summary(), "f1", tmp_path))
        assert len(store.list_runs()) == 1
        frozen.invalidate()
        frozen.close()


def test_a_row_that_cannot_be_read_is_named(store_url: str, tmp_path: Path) -> None:
    with open_store(store_url, tmp_path) as store:
        store.record_run(RunEntry(make_summary(), "f1", tmp_path))
        store.set_baseline(make_entry(), replace=True)
        damage = create_engine(resolve(store_url, tmp_path).url)
        with damage.begin() as connection:
            connection.execute(text("UPDATE harness_run SET measurement = '{}'"))
        damage.dispose()
        with pytest.raises(HarnessError) as raised:
            store.baseline_for("flash_sale", "load", "f1")
    assert raised.value.code == "store-row-damaged"
    assert raised.value.params == {"what": "measurement", "run_id": make_summary().run_id}


@pytest.mark.parametrize(
    "damage",
    [
        "harness_run SET verdict = x'ff'",
        "harness_run SET measurement = replace(measurement, '\"value\":200.0', '\"value\":NaN')",
        "harness_run SET target_commit = x'ff'",
        "harness_run SET fingerprint = x'ff'",
        "harness_window SET most = 9e999",
        "harness_window SET most = 'x'",
        "harness_window SET fingerprint = x'ff'",
        "harness_accepted SET why = x'ff'",
        "harness_accepted SET accepted_at = 9e999",
        "harness_baseline SET run_id = x'ff'",
        "harness_baseline SET set_at = '2026-13-45'",
    ],
)
def test_values_of_the_wrong_type_are_reported_as_damage_by_every_command(damage: str, tmp_path: Path) -> None:
    with open_store(None, tmp_path) as store:
        for number in (1, 2, 3):
            store.record_run(make_entry(number))
        store.set_window(make_entry(2), 5)
        store.accept(make_entry(1), "bigger stock", most=5)
        store.set_baseline(make_entry(3, scenario="other"), replace=True)
    with contextlib.closing(sqlite3.connect(tmp_path / "store.sqlite")) as raw:
        raw.execute(f"UPDATE {damage}")
        raw.commit()
    commands = [
        ["baseline", "list", "--json"],
        ["baseline", "show", "--json"],
        ["history", "flash_sale", "--json"],
        ["compare", make_summary(1).run_id, make_summary(2).run_id, "--json"],
        ["runs", "--json"],
    ]
    said = {" ".join(words[:2]): in_process.harness(*words, "--out", tmp_path) for words in commands}
    assert {2} <= {one.exit_code for one in said.values()} <= {0, 2, 3}, said
    assert {one.err.count("store.sqlite: ") for one in said.values() if one.exit_code == 2} == {1}, said


def test_a_server_that_does_not_answer(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound but not listening: nothing responds there
        port = taken.getsockname()[1]
        error = _error_of_opening(f"postgresql://ann:secret@127.0.0.1:{port}/perf", tmp_path)
    assert (error.code, error.where) == ("store-server-failed", f"postgresql://ann:***@127.0.0.1:{port}/perf")
    assert "refused" in str(error.params["reason"])
    assert "secret" not in str(error)


def test_without_the_driver_the_error_names_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", None)  # Python's way to say: this cannot be imported
    error = _error_of_opening("postgresql://ann:secret@127.0.0.1/perf", tmp_path)
    assert (error.code, error.where) == ("postgresql-driver-missing", "postgresql://ann:***@127.0.0.1/perf")
    assert "uv sync --extra postgresql" in str(error.params["install"])


def test_a_full_disk(tmp_path: Path) -> None:
    with small_disk(tmp_path / "small", "16k") as small:
        error = _error_of_opening(None, small)
        assert (error.code, error.where) == ("store-disk-full", f"{small}/store.sqlite")


def test_a_closed_store_leaves_no_file_behind_but_its_own(tmp_path: Path) -> None:
    with open_store(None, tmp_path) as store:
        store.record_run(RunEntry(make_summary(), "f1", tmp_path))
    assert [path.name for path in tmp_path.iterdir()] == ["store.sqlite"]
    with sqlite3.connect(tmp_path / "store.sqlite") as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    connection.close()


def test_a_store_that_lost_a_table_is_not_called_a_locked_file(tmp_path: Path) -> None:
    with open_store(None, tmp_path) as store:
        with sqlite3.connect(tmp_path / "store.sqlite") as file:
            file.execute("DROP TABLE harness_run")
        with harness_error("store-file-damaged"):
            store.list_runs()


def test_a_baseline_whose_run_is_gone_is_an_error(tmp_path: Path) -> None:
    with open_store(None, tmp_path) as store:
        store.set_baseline(make_entry(), replace=True)
        with sqlite3.connect(tmp_path / "store.sqlite") as file:
            file.execute("DELETE FROM harness_run")
        with pytest.raises(HarnessError) as raised:
            store.baseline_for("flash_sale", "load", "f1")
    assert raised.value.code == "store-row-damaged"

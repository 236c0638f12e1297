"""Old runs lose folder and row; baselines, running runs and what cannot be removed stay."""

from __future__ import annotations

import errno
import multiprocessing
import os
import shutil
import sqlite3
import sys
from multiprocessing.synchronize import Event
from pathlib import Path

import pytest

from harness.control import prune as control
from harness.control.prune import KnownRun, Pruned
from harness.plan.bench import BenchPlan
from harness.record.run_folder import RunFolder, marked_as_running, write_text
from harness.record.summary import Verdict
from harness.store import RunEntry, open_store, past_runs
from harness.store.windows import Key
from tests.support.baselines import make_entry, make_measurement, make_summary
from tests.support.in_process import Said, harness
from tests.support.plans import make_plan, steady
from tests.support.small_disk import small_disk


def prune(reports: Path, *words: str) -> Said:
    """What ``harness prune WORDS --out REPORTS`` does."""
    return harness("prune", *words, "--out", str(reports))


def pruned(reports: Path, keep: int) -> Pruned:
    """What a call of the function behind the command did."""
    with open_store(None, reports) as store:
        result = control.prune(reports, store, keep=keep)
    assert result.errors == []
    return result


def counts(result: Pruned) -> tuple[int, int, int, int]:
    """Runs removed, kept, kept for a baseline, and still running."""
    return len(result.removed), result.kept, result.baselines, result.running


def only(result: Pruned) -> KnownRun:
    (run,) = result.removed
    return run


def made_run(
    reports: Path,
    number: int,
    *,
    profile: str = "load",
    verdict: Verdict | None = "pass",
    stored: bool = True,
    measured: bool = False,
) -> str:
    """A run's folder, as small as can be, and its row."""
    summary = make_summary(number, profile=profile, verdict=verdict or "pass")
    folder = RunFolder.create(reports, summary.run_id)
    write_text(folder.plan, make_plan([steady()], [], scenario="flash_sale", profile=profile).model_dump_json())
    folder.journal.touch()
    if verdict is not None:
        write_text(folder.summary, summary.to_json())
    if stored:
        with open_store(None, reports) as store:
            measurement = make_measurement(number, profile=profile) if measured else None
            store.record_run(RunEntry(summary, "f1", folder.path, measurement=measurement))
    return summary.run_id


def left(reports: Path) -> tuple[set[str], set[str]]:
    """The ids of the runs that are left: of folders and rows."""
    with open_store(None, reports) as store:
        rows = {run.run_id for run in store.list_runs()}
    return {plan.parent.name for plan in reports.glob("[!.]*/plan.json")}, rows


@pytest.fixture
def reports(tmp_path: Path) -> Path:
    return tmp_path / "reports"


def test_the_latest_of_each_profile_stay_the_others_go_whole(reports: Path) -> None:
    nightly = [made_run(reports, number, profile="nightly") for number in (1, 2, 3)]
    smoke = [made_run(reports, number, profile="smoke") for number in (4, 5)]
    output = prune(reports, "--keep", "2", "--dry-run")
    assert (output.exit_code, nightly[0] in output.err, len(left(reports)[0])) == (0, True, 5)
    output = prune(reports, "--keep", "2")
    assert (output.exit_code, nightly[0] in output.err, nightly[1] in output.err) == (0, True, False)
    stay = {*nightly[1:], *smoke}
    assert left(reports) == (stay, stay)


def test_the_figures_of_a_history_outlive_their_folders(reports: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(past_runs, "MOST_RUNS", 3)
    runs = [made_run(reports, number, measured=True) for number in range(1, 5)]
    broken = made_run(reports, 5, verdict="broken", measured=True)
    result = pruned(reports, 1)
    assert [(run.run_id, run.stored) for run in result.removed] == [
        (runs[0], True),
        *((run, False) for run in runs[1:]),
    ]
    assert left(reports) == ({broken}, {*runs[1:], broken})
    with open_store(None, reports) as store:
        shown = store.past_runs(Key("flash_sale", "load", "f1"))
    assert [run.run_id for run, _ in shown] == runs[1:]
    assert only(pruned(reports, 0)).run_id == broken
    assert left(reports) == (set(), set(runs[1:]))


def test_failed_runs_are_kept_as_long_as_the_policy_states(reports: Path) -> None:
    verdicts: list[Verdict | None] = ["pass", "inconclusive", "fail", "broken", None]
    runs = [made_run(reports, n, verdict=verdict, stored=verdict is not None) for n, verdict in enumerate(verdicts)]
    output = prune(reports, "--keep", "0", "--keep-failed", "5000w")
    assert output.exit_code == 0
    assert left(reports)[0] == set(runs[2:])
    last = pruned(reports, 0).removed[-1]
    assert (last.run_id, last.verdict, last.begun, last.stored) == (runs[4], None, True, False)
    assert left(reports) == (set(), set())


def test_a_run_that_never_began_is_not_called_killed(reports: Path) -> None:
    run = made_run(reports, 1, verdict=None, stored=False)
    RunFolder(reports / run).journal.unlink()
    found = only(pruned(reports, 0))
    assert (found.run_id, found.verdict, found.begun) == (run, None, False)


def test_a_bench_that_was_killed_goes_as_a_run_does(reports: Path) -> None:
    folder = RunFolder.create(reports, "20260202T090000Z-shop-bench-0001")
    write_text(folder.plan, BenchPlan(suite="shop", folder="/work", arguments=(), gates=()).model_dump_json())
    folder.suite.touch()
    run = made_run(reports, 1, stored=False)
    assert counts(pruned(reports, 1)) == (0, 2, 0, 0)
    removed = {found.run_id: (found.verdict, found.begun) for found in pruned(reports, 0).removed}
    assert removed == {folder.run_id: (None, True), run: ("pass", True)}
    assert left(reports)[0] == set()


def test_a_run_of_a_baseline_is_never_removed(reports: Path) -> None:
    runs = [made_run(reports, number) for number in (1, 2)]
    with open_store(None, reports) as store:
        store.set_baseline(make_entry(1), replace=True)
    assert counts(pruned(reports, 0)) == (1, 1, 1, 0)
    assert left(reports) == ({runs[0]}, {runs[0]})
    with open_store(None, reports) as store:
        assert store.baseline_for("flash_sale", "load", "f1") is not None


def test_a_run_whose_time_is_damaged_in_the_store_stops_nothing(reports: Path) -> None:
    for number in (1, 2, 3):
        made_run(reports, number)
    with sqlite3.connect(reports / "store.sqlite") as database:
        database.execute("UPDATE harness_run SET started_at = 'nonsense' WHERE run_id LIKE '%0002'")
    assert counts(pruned(reports, 0)) == (3, 0, 0, 0)


def _hold(path: Path, held: Event, enough: Event) -> None:
    with marked_as_running(RunFolder(path)):
        held.set()
        enough.wait(60)
        os._exit(9)  # as when killed: the mark is left behind, the lock is not


def test_a_run_that_is_going_on_is_never_removed(reports: Path) -> None:
    going, ended = made_run(reports, 1, verdict=None, stored=False), made_run(reports, 2)
    fresh = multiprocessing.get_context("fork")
    held, enough = fresh.Event(), fresh.Event()
    process = fresh.Process(target=_hold, args=(reports / going, held, enough))
    process.start()
    try:
        assert held.wait(60)
        result = pruned(reports, 0)
        assert (only(result).run_id, counts(result)) == (ended, (1, 0, 0, 1))
        assert left(reports)[0] == {going}
    finally:
        enough.set()
        process.join(60)
        process.kill()
    found = only(pruned(reports, 0))
    assert (found.run_id, found.verdict, found.begun) == (going, None, True)


def test_what_another_prune_has_removed_meanwhile_is_not_an_error(reports: Path) -> None:
    runs = [made_run(reports, number) for number in (1, 2, 3)]
    with open_store(None, reports) as store:
        first = control.prune(reports, store, keep=0, on_removed=lambda _: assert_pruned(reports))
    assert first.errors == []
    assert [run.run_id for run in first.removed] == runs
    assert left(reports) == (set(), set())


def assert_pruned(reports: Path) -> None:
    """Another call, from end to end."""
    assert prune(reports, "--keep", "0").exit_code == 0


def _die_at_removal(reports: Path, files: int) -> None:
    left = iter(range(files))

    def on_audit(event: str, _: object) -> None:
        if event == "os.remove" and next(left, None) is None:
            os._exit(9)

    sys.addaudithook(on_audit)
    pruned(reports, 0)


def kill_at_removal(reports: Path, files: int) -> None:
    """Prune in a process that ends at once, as when it is killed, when it has removed so many files."""
    process = multiprocessing.get_context("fork").Process(target=_die_at_removal, args=(reports, files))
    process.start()
    process.join(60)
    assert process.exitcode == 9


@pytest.mark.parametrize("after", [0, 1, 2])
def test_what_an_earlier_call_was_cut_off_from_is_ended_by_the_next(after: int, reports: Path) -> None:
    run = made_run(reports, 1)
    kill_at_removal(reports, after)
    assert left(reports) == (set(), {run})
    assert prune(reports, "--keep", "0").exit_code == 0
    assert left(reports) == (set(), set())
    assert [path.name for path in reports.iterdir()] == ["store.sqlite"]


def test_what_is_left_of_a_renamed_folder_is_removed_by_the_next(reports: Path) -> None:
    run = made_run(reports, 1, stored=False)
    (reports / run).rename(reports / "before the change")
    kill_at_removal(reports, 0)
    assert not (reports / "before the change").exists()
    assert prune(reports, "--keep", "0").exit_code == 0
    assert [path.name for path in reports.iterdir()] == ["store.sqlite"]


def test_a_row_whose_folder_cannot_be_looked_at_goes_as_of_another_machine(reports: Path) -> None:
    run = made_run(reports, 1)
    with open_store(None, reports) as store:  # as one below a folder that is another user's: to ask is a fault
        store.record_run(RunEntry(make_summary(2), "f1", Path("/", "x" * 300, make_summary(2).run_id)))
    assert run in {found.run_id for found in pruned(reports, 0).removed}
    assert left(reports) == (set(), set())


def test_a_folder_of_which_only_a_part_is_left_goes_with_its_row(reports: Path) -> None:
    run = made_run(reports, 1)
    (reports / run / "plan.json").unlink()
    found = only(pruned(reports, 0))
    assert (found.run_id, len(found.folders), found.stored) == (run, 1, True)
    assert not (reports / run).exists()


def test_a_run_whose_folder_was_renamed_is_known_by_its_summary(reports: Path) -> None:
    kept, moved = made_run(reports, 1, stored=False), made_run(reports, 2)
    with open_store(None, reports) as store:
        store.set_baseline(make_entry(1), replace=True)
    (reports / kept).rename(reports / "before the change")
    (reports / moved).rename(reports / "after the change")
    shutil.copytree(reports / "before the change", reports / "before the change, again")
    result = pruned(reports, 0)
    assert (only(result).run_id, len(only(result).folders), counts(result)) == (moved, 1, (1, 1, 1, 0))
    assert left(reports) == ({"before the change", "before the change, again"}, {kept})


@pytest.mark.parametrize("stored", [True, False])
def test_a_run_is_one_however_many_folders_it_has_which_go_together(stored: bool, reports: Path) -> None:
    runs = [made_run(reports, number, stored=stored) for number in (1, 2)]
    for name in ("a copy", "keep-me"):
        shutil.copytree(reports / runs[1], reports / name)
    assert counts(pruned(reports, 2)) == (0, 2, 0, 0)
    made_run(reports, 3, stored=stored)
    assert only(pruned(reports, 2)).run_id == runs[0]
    found = only(pruned(reports, 1))
    assert (found.run_id, len(found.folders)) == (runs[1], 3)
    assert left(reports)[0] == {make_summary(3).run_id}


def test_a_link_and_a_copy_that_is_being_fetched_are_left_alone(reports: Path, tmp_path: Path) -> None:
    run = made_run(reports, 1, stored=False)
    (reports / run).rename(tmp_path / "elsewhere")
    (reports / run).symlink_to(tmp_path / "elsewhere")
    made_run(reports, 2, stored=False)
    (reports / make_summary(2).run_id).rename(reports / ".being fetched")
    assert counts(pruned(reports, 0)) == (0, 0, 0, 0)
    assert (tmp_path / "elsewhere" / "plan.json").exists()
    assert (reports / ".being fetched" / "plan.json").exists()


def test_a_run_whose_folder_is_on_another_machine_loses_its_row(reports: Path) -> None:
    run = made_run(reports, 1)
    (reports / run).rename(reports.parent / "away")
    found = only(pruned(reports, 0))
    assert (found.run_id, found.folders, found.stored) == (run, (), True)
    assert left(reports) == (set(), set())


def test_what_cannot_be_removed_is_reported_and_kept_and_stops_nothing(reports: Path) -> None:
    removed, stuck, damaged = made_run(reports, 1), made_run(reports, 2), made_run(reports, 3, stored=False)
    (reports / damaged / "plan.json").write_text("{}")
    (reports / stuck).rename(reports.parent / stuck)
    with small_disk(reports / "mounted", "1m") as mounted, open_store(None, reports) as store:
        shutil.copytree(reports.parent / stuck, mounted, dirs_exist_ok=True)
        result = control.prune(reports, store, keep=0)
    assert [run.run_id for run in result.removed] == [removed]
    damage, busy = result.errors
    assert f"{damaged}/plan.json" in str(damage.where)
    assert (busy.code, busy.params["reason"]) == ("prune-not-removable", os.strerror(errno.EBUSY))
    assert left(reports)[1] == {stuck}
    assert prune(reports, "--keep", "0").exit_code == 2  # the damaged one is still there
    assert left(reports)[1] == set()


@pytest.mark.parametrize(
    ("words", "named"),
    [
        ([], "--keep"),
        (["--keep", "-1"], "-1"),
        (["--keep", "all"], "'all'"),
        (["--keep", "1", "--keep-failed", "90"], "'90'"),
        (["--keep", "1", "--keep-failed", "-3d"], "'-3d'"),
        (["--keep", "1", "--keep-failed", "999999w"], "'999999w'"),
    ],
)
def test_bad_values_are_refused(words: list[str], named: str, reports: Path) -> None:
    reports.mkdir()
    output = prune(reports, *words)
    assert (output.exit_code, named in output.err) == (2, True)


def test_a_folder_that_is_not_there_is_not_made(reports: Path) -> None:
    output = prune(reports, "--keep", "1")
    assert output.exit_code == 2
    assert str(reports) in output.err
    assert not reports.exists()

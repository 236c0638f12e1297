"""Several processes use one store at once: nothing is lost, and *replace* leaves one run, on both databases."""

import multiprocessing
from multiprocessing.synchronize import Barrier
from pathlib import Path

import pytest

from harness.store import RunEntry, open_store
from tests.support.baselines import make_entry, make_summary
from tests.support.old_store import make_first_store

PROCESSES = 3
ROUNDS = 3
UP_TO = 2


def _write(url: str, old: str, reports: Path, number: int, together: Barrier) -> None:
    together.wait(60)
    with open_store(old, reports) as store:  # all race for upgrading a store of an older harness
        store.record_run(RunEntry(make_summary(10 + number), "f1", reports / str(number)))
    together.wait(60)
    for turn in range(ROUNDS):
        with open_store(url, reports) as store:  # a fresh store: the first turn also races for making the tables
            run = PROCESSES * turn + number
            store.record_run(RunEntry(make_summary(run), "f1", reports))
            store.set_baseline(make_entry(run, fingerprint="replaced"), replace=True)
            store.set_baseline(make_entry(run, fingerprint="added"), replace=False)
            together.wait(60)
            store.set_baseline(make_entry(run, fingerprint="first"), replace=False, up_to=UP_TO)
            baseline = store.baseline_for("flash_sale", "load", "replaced")
            assert baseline is not None
            assert len(baseline.runs) == 1


@pytest.mark.slow
def test_runners_that_write_at_once_lose_nothing(store_url: str, old_store_url: str, tmp_path: Path) -> None:
    make_first_store(old_store_url)
    fork = multiprocessing.get_context("fork")
    together = fork.Barrier(PROCESSES)
    writers = [
        fork.Process(target=_write, args=(store_url, old_store_url, tmp_path, n, together)) for n in range(PROCESSES)
    ]
    for writer in writers:
        writer.start()
    try:
        for writer in writers:
            writer.join(90)
        assert [writer.exitcode for writer in writers] == [0] * PROCESSES
    finally:
        for writer in writers:
            writer.kill()
    with open_store(old_store_url, tmp_path) as store:
        upgraded = [run.folder.name for run in store.list_runs()]
    assert upgraded[:PROCESSES] == [str(number) for number in reversed(range(PROCESSES))]
    assert len(upgraded) == PROCESSES + 2
    with open_store(store_url, tmp_path) as store:
        assert len(store.list_runs()) == PROCESSES * ROUNDS
        added, first, replaced = store.list_baselines()
    assert (added.fingerprint, len(added.run_ids)) == ("added", PROCESSES * ROUNDS)
    assert (first.fingerprint, len(first.run_ids)) == ("first", UP_TO)
    assert (replaced.fingerprint, len(replaced.run_ids)) == ("replaced", 1)

"""Rows of feeders reach users as their order says: each once, across all workers."""

from __future__ import annotations

import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from harness.control.feeding import Feeding
from harness.control.user_code import describe_scenario
from harness.errors import HarnessError
from harness.feeders.rows import Rows
from harness.plan.model.run import RunPlan
from harness.plan.model.scenario import FeederSource
from harness.record.journal import Journal
from tests.support.counting_server import CountingServer
from tests.support.engine import phase, plan_of, put_load, scenario
from tests.support.fork_servers import fork_server
from tests.support.plans import make_plan

FED = """
import harness
from locust import constant, task
from harness import HttpUser

rows = harness.feeder(FEEDER)

class Visitor(HttpUser):
    wait_time = constant(0.02)

    @task
    def visit(self):
        self.client.get("/" + next(rows)["id"], name="row")
"""


def fed(folder: Path, feeder: str) -> Path:
    return scenario(folder, FED.replace("FEEDER", feeder))


def ids(folder: Path, count: int) -> None:
    (folder / "ids.csv").write_text("id\n" + "".join(f"r{number}\n" for number in range(count)))


def sources(path: Path) -> tuple[FeederSource, ...]:
    return describe_scenario(path, fork_server=fork_server()).feeders


@contextmanager
def feeding(path: Path, seed: int = 1, hold_s: float = 1.5) -> Iterator[tuple[RunPlan, Feeding]]:
    plan = plan_of(path, [phase((6, 6, hold_s))], workers=3)
    plan = plan.model_copy(update={"scenario": plan.scenario.model_copy(update={"feeders": sources(path)})})
    with Feeding(plan.scenario, seed, fork_server(), 60.0) as made:
        scenario_ = plan.scenario.model_copy(update={"feeders": tuple(made.sources)})
        yield plan.model_copy(update={"scenario": scenario_, "seed": seed}), made


def run(path: Path, server: CountingServer, folder: Path, hold_s: float = 1.5) -> Journal:
    with feeding(path, hold_s=hold_s) as (plan, made):
        return put_load(plan, server.url, folder, rows=made.paths)


def used(server: CountingServer) -> dict[str, int]:
    return {name.removeprefix("GET /"): count for name, count in server.served.items()}


@pytest.mark.slow
@pytest.mark.parametrize("order", ["unique", "shuffle"])
def test_each_row_comes_once_across_three_workers(server: CountingServer, tmp_path: Path, order: str) -> None:
    ids(tmp_path, 10_000)
    journal = run(fed(tmp_path, f"'ids.csv', order={order!r}"), server, tmp_path)
    seen = used(server)
    assert set(seen.values()) == {1}
    assert journal.end_reason == "done"
    numbers = sorted(int(name[1:]) for name in seen)
    # In order, nearly the first ones: what was dealt and not used lies between, at first 16 rows of each worker.
    assert (numbers[-1] < 48 + 10 * len(numbers)) == (order == "unique")


def test_too_little_room_for_the_rows_is_an_error(tmp_path: Path) -> None:
    ids(tmp_path, 1_000_000)
    source = FeederSource(path=str(tmp_path / "ids.csv"), order="unique", recycles=False, where="sale.py:6")
    scenario_ = make_plan([]).scenario.model_copy(update={"feeders": (source,)})
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, before[1]))  # as on a full disk
    try:
        with pytest.raises(HarnessError) as raised:
            Feeding(scenario_, 1, fork_server(), 60.0)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert (raised.value.code, raised.value.where) == ("feeder-rows-not-written", source.path)


def test_a_run_ends_when_its_rows_are_exhausted(server: CountingServer, tmp_path: Path) -> None:
    ids(tmp_path, 90)
    journal = run(fed(tmp_path, "'ids.csv', order='unique'"), server, tmp_path, hold_s=40)
    assert (journal.end_reason, [event.message.code for event in journal.events]) == ("scenario", ["feeder-exhausted"])
    assert journal.events[0].message.params == {"feeder": "ids.csv", "rows": 90}
    seen = used(server)
    assert set(seen.values()) == {1}
    assert journal.last_s < 40


@pytest.mark.slow
def test_rows_are_recycled_evenly(server: CountingServer, tmp_path: Path) -> None:
    ids(tmp_path, 7)
    journal = run(fed(tmp_path, "'ids.csv'"), server, tmp_path)
    seen = used(server)
    assert (len(seen), journal.end_reason) == (7, "done")
    assert max(seen.values()) <= 3 * min(seen.values())


@pytest.mark.slow
def test_rows_at_random_are_all_used(server: CountingServer, tmp_path: Path) -> None:
    run(fed(tmp_path, "[{'id': 'a'}, {'id': 'b'}, {'id': 'c'}], order='random'"), server, tmp_path)
    assert set(used(server)) == {"a", "b", "c"}


@pytest.mark.slow
def test_rows_of_a_generator_are_dealt_like_others(server: CountingServer, tmp_path: Path) -> None:
    run(fed(tmp_path, "({'id': f'g{n}'} for n in range(5000)), order='unique'"), server, tmp_path)
    assert set(used(server).values()) == {1}


@pytest.mark.parametrize(
    ("feeder", "code"),
    [
        ("'ids.csv', order='uniqe'", "feeder-order-unknown"),
        ("'ids.csv', exhausted='end'", "feeder-exhausted-unknown"),
        ("'ids.csv', exhausted='stop'", "feeder-never-exhausted"),
        ("5", "feeder-source-invalid"),
    ],
)
def test_arguments_that_make_no_sense_are_named_with_the_call(tmp_path: Path, feeder: str, code: str) -> None:
    path = fed(tmp_path, feeder)
    with pytest.raises(HarnessError) as raised:
        sources(path)
    assert (raised.value.code, raised.value.where, raised.value.exit_code) == (code, f"{path}:6", 2)


@pytest.mark.parametrize(
    ("feeder", "code", "where"),
    [
        ("'none.csv'", "feeder-file-missing", "scenario.py:6"),
        ("'empty.csv'", "feeder-empty", "empty.csv"),
        ("'head.csv'", "feeder-empty", "head.csv"),
        ("'ragged.csv'", "feeder-row-ragged", "ragged.csv:2"),
        ("[]", "feeder-empty", "scenario.py:6"),
        ("({'id': 1 / n} for n in range(2))", "feeder-rows-raised", "scenario.py:6"),
        ("[{'tags': {'a', 'b'}}]", "feeder-row-invalid", "scenario.py:6"),
        ("[{'id': object()}]", "feeder-row-invalid", "scenario.py:6"),
    ],
)
def test_rows_that_cannot_be_read_are_named_before_the_load(tmp_path: Path, feeder: str, code: str, where: str) -> None:
    (tmp_path / "empty.csv").touch()
    (tmp_path / "head.csv").write_text("id\n")
    (tmp_path / "ragged.csv").write_text("id,name\n5\n")
    path = fed(tmp_path, feeder)
    with pytest.raises(HarnessError) as raised, feeding(path):
        pass
    assert (raised.value.code, raised.value.where, raised.value.exit_code) == (code, f"{tmp_path}/{where}", 2)


LISTENING = """
from locust import LoadTestShape, events

@events.init.add_listener
def count_rows(environment, **_):
    assert len(rows) == 3

class Ladder(LoadTestShape):
    def tick(self):
        return (len(rows), 100) if self.get_run_time() < 1 else None
"""


def test_listeners_and_shapes_in_the_master_know_the_rows(server: CountingServer, tmp_path: Path) -> None:
    ids(tmp_path, 3)
    path = scenario(tmp_path, FED.replace("FEEDER", "'ids.csv'") + LISTENING)
    with feeding(path) as (plan, made):
        shape = phase(kind="shape", name="shape")
        shaped = plan.scenario.model_copy(update={"has_shape": True})
        plan = plan.model_copy(update={"phases": (shape,), "scenario": shaped})
        journal = put_load(plan, server.url, tmp_path, rows=made.paths)
    assert (journal.end_reason, set(used(server))) == ("done", {"r0", "r1", "r2"})


def test_another_machine_must_have_the_same_rows(tmp_path: Path) -> None:
    ids(tmp_path, 5)
    path = fed(tmp_path, "'ids.csv'")
    with feeding(path) as (plan, made):
        made.require(plan.scenario.feeders)
        ids(tmp_path, 6)
        with feeding(path) as (_, other), pytest.raises(HarnessError) as raised:
            other.require(plan.scenario.feeders)
    assert (raised.value.code, raised.value.params) == ("feeder-differs", {"here": 6, "there": 5})


def test_the_seed_draws_the_order(tmp_path: Path) -> None:
    ids(tmp_path, 100)
    path = fed(tmp_path, "'ids.csv', order='shuffle'")

    def order(seed: int) -> list[Any]:
        with feeding(path, seed) as (_, made):
            return list(Rows(made.paths[0]))

    assert order(1) == order(1) != order(2)


def test_rows_outside_a_load_are_read_by_their_number(tmp_path: Path) -> None:
    (tmp_path / "ids.csv").write_text("id\na\nb\n")
    path = scenario(tmp_path, FED.replace("FEEDER", "'ids.csv'") + "\nnext(rows)\n")
    with pytest.raises(HarnessError) as raised:
        sources(path)
    assert (raised.value.code, raised.value.where) == ("feeder-outside-load", f"{path}:6")

"""The agent sees what the tasks of a target's event loops wait for."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import psutil
import pytest

from harness.sampling.waiting_tasks import TaskLooks
from harness.targets.agent_client import Agent, WaitingTasks
from harness.targets.start import start_target
from tests.support.children import wait_until
from tests.support.faults import suspend
from tests.support.targets import run_folder, script_target

TASKS = """
import asyncio, threading

async def locked(lock):
    async with lock:
        pass

async def generate():
    await asyncio.Event().wait()
    yield

async def iterate():
    async for _ in generate():
        pass

async def gather():
    await asyncio.gather(asyncio.sleep(60), locked(LOCK))

async def limited():
    await asyncio.wait_for(iterate(), 60)

async def grouped():
    async with asyncio.TaskGroup() as group:
        group.create_task(locked(LOCK))

async def spin():
    while True:
        await asyncio.sleep(0)

class Handle:
    def __await__(self):
        return locked(LOCK).__await__()

async def handle():
    await Handle()

async def main():
    global LOCK
    LOCK = asyncio.Lock()
    await LOCK.acquire()
    asyncio.current_task().set_name("main")
    tasks = [asyncio.create_task(each()) for each in (gather, limited, grouped, spin, handle)]
    await asyncio.Event().wait()

threading.Thread(target=serve, args=sys.argv[1:], daemon=True).start()
RUN(main())
"""


WAITING = """
import asyncio, threading
async def main():
    await asyncio.Event().wait()
threading.Thread(target=serve, args=sys.argv[1:], daemon=True).start()
asyncio.run(main())
"""


def functions(stack: str) -> list[str]:
    """Its functions, without their classes and files, and without the one around ``main`` that uvloop has."""
    names = [frame.partition(" (")[0].rpartition(".")[2] for frame in stack.split(";")]
    return [name for name in names if name != "wrapper"]


@pytest.mark.slow
@pytest.mark.parametrize(
    "run", ["asyncio.run", "asyncio.new_event_loop().run_until_complete", "__import__('uvloop').run"]
)
def test_each_task_that_waits_is_seen_with_what_it_awaits(tmp_path: Path, run: str) -> None:
    with start_target(script_target(tmp_path, TASKS.replace("RUN", run)), run_folder(tmp_path)) as target:
        (agent,) = target.agents()

        def seen() -> list[WaitingTasks]:
            found = agent.waiting_tasks()
            return [found] if sum(found.stacks.values()) >= 6 else []

        (found,) = wait_until(seen)
    assert found.cost_s > 0
    stacks = {functions(stack)[0]: stack for stack in found.stacks}
    assert set(stacks) == {"gather", "limited", "grouped", "handle", "main"}  # not what spins
    assert functions(stacks["limited"]) == ["limited", "wait_for", "iterate", "generate", "wait"]
    assert functions(stacks["grouped"]) == ["grouped", "__aexit__", "locked", "__aenter__", "acquire"]
    assert functions(stacks["handle"]) == ["handle", "locked", "__aenter__", "acquire"]
    assert f"locked ({tmp_path}/" in stacks["handle"]
    parts = {tuple(functions(stack)) for stack in found.stacks if "gather (" in stack}
    assert len(parts) == 2
    assert [part[1] == "[part 1]" for part in sorted(parts)].count(True) == 1


def looked_at(agents: list[Agent], seconds: float) -> TaskLooks:
    looks = TaskLooks(agents, rate_hz=20)
    looks.look_until(time.monotonic() + seconds, threading.Event())
    return looks


def test_looks_are_counted_as_if_they_had_been_made_at_a_given_rate(tmp_path: Path) -> None:
    with start_target(script_target(tmp_path, WAITING), run_folder(tmp_path)) as target:
        wait_until(lambda: target.agents()[0].waiting_tasks().stacks)
        looks = looked_at(target.agents(), 0.5)
    (raw,) = looks.raw_by_pid(30.0).values()
    (line,) = raw.splitlines()
    assert functions(line.rpartition(" ")[0]) == ["main", "wait"]
    assert line.rpartition(" ")[2] == "30"
    assert looks.cost_s > 0
    assert looks.problem == ""


@pytest.mark.slow
def test_a_process_that_does_not_respond_is_a_problem_and_others_are_looked_at(tmp_path: Path) -> None:
    with (
        start_target(script_target(tmp_path, WAITING), run_folder(tmp_path / "a")) as paused,
        start_target(script_target(tmp_path, WAITING), run_folder(tmp_path / "b")) as target,
    ):
        wait_until(lambda: target.agents()[0].waiting_tasks().stacks)
        (agent,) = paused.agents()
        suspend(psutil.Process(agent.pid))
        looks = looked_at([agent, *target.agents()], 0.1)
    assert looks.problem != ""
    assert list(looks.raw_by_pid(1.0)) == [target.pid]


def test_a_process_that_has_ended_is_no_problem(tmp_path: Path) -> None:
    with start_target(script_target(tmp_path, WAITING), run_folder(tmp_path)) as target:
        wait_until(lambda: target.agents()[0].waiting_tasks().stacks)
        agents = target.agents()
        psutil.Process(agents[0].pid).kill()
        looks = looked_at(agents, 0.1)
    assert looks.problem == ""
    assert looks.raw_by_pid(1.0) == {}


def test_a_process_without_an_event_loop_has_no_tasks(tmp_path: Path) -> None:
    with start_target(script_target(tmp_path, "serve(sys.argv[1])"), run_folder(tmp_path)) as target:
        (agent,) = target.agents()
        found = agent.waiting_tasks()
    assert found.stacks == {}


def test_a_process_forked_while_a_loop_runs_has_none_of_its_tasks(tmp_path: Path) -> None:
    code = """
import asyncio, multiprocessing, threading, time
async def main():
    waiting = asyncio.create_task(asyncio.sleep(60))
    await asyncio.sleep(0.01)
    multiprocessing.get_context("fork").Process(target=time.sleep, args=(60,), daemon=True).start()
    await asyncio.Event().wait()
threading.Thread(target=serve, args=sys.argv[1:], daemon=True).start()
asyncio.run(main())
"""
    with start_target(script_target(tmp_path, code), run_folder(tmp_path)) as target:
        wait_until(lambda: len(target.agents()) == 2)
        parent, child = sorted(target.agents(), key=lambda agent: agent.pid != target.pid)
        wait_until(lambda: parent.waiting_tasks().stacks)
        assert child.waiting_tasks().stacks == {}


def test_no_attribute_of_the_targets_own_objects_is_computed(tmp_path: Path) -> None:
    computed = tmp_path / "computed"
    code = f"""
import asyncio, threading

class Context:
    @property
    def _tasks(self):
        open({str(computed)!r}, "w").close()

    async def __aenter__(self):
        pass

    async def __aexit__(self, *_):
        await asyncio.get_running_loop().create_future()

async def main():
    async with Context():
        pass

threading.Thread(target=serve, args=sys.argv[1:], daemon=True).start()
asyncio.run(main())
"""
    with start_target(script_target(tmp_path, code), run_folder(tmp_path)) as target:
        (agent,) = target.agents()
        (stack,) = wait_until(lambda: agent.waiting_tasks().stacks)
    assert functions(stack) == ["main", "__aexit__"]
    assert not computed.exists()


def test_of_very_many_tasks_a_part_counts_for_all(tmp_path: Path) -> None:
    code = """
import asyncio, threading
async def wait():
    await asyncio.Event().wait()
async def main():
    tasks = [asyncio.create_task(wait()) for _ in range(3000)]
    await wait()
threading.Thread(target=serve, args=sys.argv[1:], daemon=True).start()
asyncio.run(main())
"""
    with start_target(script_target(tmp_path, code), run_folder(tmp_path)) as target:
        (agent,) = target.agents()
        counted = wait_until(lambda: (seen := sum(agent.waiting_tasks().stacks.values())) > 2900 and seen)
    assert counted == pytest.approx(3001, rel=0.01)


LOOP_A_REQUEST = """
import asyncio, threading
async def wait(seconds):
    await asyncio.sleep(seconds)
def run():
    while True:
        asyncio.run(wait(0.001))
        threading.Event().wait(0.05)
threading.Thread(target=serve, args=sys.argv[1:], daemon=True).start()
threading.Thread(target=run, daemon=True).start()
asyncio.run(wait(60))
"""


def test_event_loops_that_run_for_one_request_each_are_seen_beside_others(tmp_path: Path) -> None:
    with start_target(script_target(tmp_path, LOOP_A_REQUEST), run_folder(tmp_path)) as target:
        (agent,) = target.agents()

        def waiting() -> int:
            return sum(agent.waiting_tasks().stacks.values())

        wait_until(lambda: waiting() == 1)
        wait_until(lambda: waiting() == 2)


def test_a_process_is_looked_at_again_if_it_had_no_event_loop(tmp_path: Path) -> None:
    code = LOOP_A_REQUEST.replace("asyncio.run(wait(60))", "threading.Event().wait()")
    with start_target(script_target(tmp_path, code), run_folder(tmp_path)) as target:
        (agent,) = target.agents()
        looks = TaskLooks([agent], rate_hz=1000)

        def seen() -> str:
            looks.look_until(time.monotonic() + 0.1, threading.Event())
            return looks.raw_by_pid(1e6)[agent.pid]

        assert "wait" in wait_until(seen)

"""A fault may kill a managed target and start it again: the same command on the same port, under the same watch."""

from __future__ import annotations

import os
import urllib.request
from pathlib import Path

import psutil
import pytest

from harness.errors import HarnessError
from harness.faults.place import Place
from harness.faults.process import ProcessFault
from harness.plan.model.target import CommandTarget, ShopTarget
from harness.targets.start import start_target
from tests.integration.shop.buyer import Buyer, get
from tests.support.children import wait_until
from tests.support.strangers import beside_stranger
from tests.support.targets import all_ended, run_folder, runs, script_target

NOTES_ITS_END = """
import signal
def note(*_):
    open("FOLDER/ended", "a").write("in order\\n")
    sys.exit()
signal.signal(signal.SIGTERM, note)
print("started", flush=True)
serve(sys.argv[1])
"""
WITH_CHILD = """
import subprocess
subprocess.Popen(["sleep", "600"], start_new_session=True)
serve(sys.argv[1])
"""


def responds(url: str) -> bool:
    try:
        with urllib.request.urlopen(f"{url}/health") as response:
            return bool(response.status == 200)
    except OSError:
        return False


def test_a_killed_target_is_down_until_the_fault_ends(tmp_path: Path) -> None:
    fault = ProcessFault(action="kill")
    with start_target(script_target(tmp_path, WITH_CHILD), run_folder(tmp_path), faults=True) as target:
        there = Place(targets=(target.place,), harness=os.getpid())
        first = target.pid
        assert first is not None
        tree = [first, *(child.pid for child in psutil.Process(first).children(recursive=True))]
        assert len(tree) == 2
        fault.check(there)
        fault.begin(there)
        assert all_ended(tree)
        wait_until(lambda: not target.is_alive())
        fault.end(there)
        assert target.is_alive()
        assert target.pid != first
        target.wait_until_ready()
        assert responds(target.url)
        second = target.pid
        fault.end(there)  # twice is once
        assert target.pid == second
    assert second is not None
    assert all_ended([second])
    control = target.place.control
    assert control is not None
    assert not Path(control).exists()


def test_a_restarted_target_may_end_gracefully_and_keeps_its_log(tmp_path: Path) -> None:
    folder = run_folder(tmp_path)
    plan = script_target(tmp_path, NOTES_ITS_END.replace("FOLDER", str(tmp_path)))
    with start_target(plan, folder, agent=False, faults=True) as target:
        first = target.pid
        fault, there = ProcessFault(action="restart"), Place(targets=(target.place,))
        fault.check(there)
        fault.begin(there)
        fault.end(there)
        assert (tmp_path / "ended").read_text() == "in order\n"
        assert target.is_alive()
        assert target.pid != first
        target.wait_until_ready()
        assert responds(target.url)
        wait_until(lambda: folder.target_log.read_text() == "started\nstarted\n")


def test_a_target_that_dies_after_it_was_started_again_is_noticed(tmp_path: Path) -> None:
    with start_target(script_target(tmp_path, "serve(sys.argv[1])"), run_folder(tmp_path), faults=True) as target:
        ProcessFault(action="restart").begin(Place(targets=(target.place,)))
        assert target.is_alive()
        assert target.pid is not None
        os.kill(target.pid, 9)
        wait_until(lambda: not target.is_alive())
        assert target.exit_description().params == {"signal": "SIGKILL"}


def test_a_target_that_cannot_start_again_is_a_failure_of_the_fault(tmp_path: Path) -> None:
    program = tmp_path / "app.sh"
    plan = script_target(tmp_path, "serve(sys.argv[1])")
    program.write_text(f"#!/bin/sh\nexec {plan.command.replace('{port}', '$1')}\n")
    program.chmod(0o755)
    plan = CommandTarget(command=f"{program} {{port}}")
    with start_target(plan, run_folder(tmp_path), agent=False, faults=True) as target:
        fault, there = ProcessFault(action="kill"), Place(targets=(target.place,))
        fault.begin(there)
        program.unlink()
        with pytest.raises(HarnessError) as raised:
            fault.end(there)
        assert raised.value.code == "fault-target-not-started"
        assert not target.is_alive()


def test_an_ended_supervisor_cannot_start_the_target(tmp_path: Path) -> None:
    with start_target(script_target(tmp_path, "serve(sys.argv[1])"), run_folder(tmp_path), faults=True) as target:
        there, pid = Place(targets=(target.place,)), target.pid
    assert pid is not None
    assert not runs(pid)
    ProcessFault(action="kill").end(there)


@pytest.mark.slow
def test_a_paused_target_ends_with_the_run(tmp_path: Path) -> None:
    with start_target(script_target(tmp_path, "serve(sys.argv[1])"), run_folder(tmp_path), faults=True) as target:
        pid = target.pid
        ProcessFault(action="pause").begin(Place(targets=(target.place,)))
        assert pid is not None
        process = psutil.Process(pid)
        wait_until(lambda: process.status() == psutil.STATUS_STOPPED)
        supervisor = psutil.Process(target.place.parent)
        supervisor.terminate()  # as if the harness were gone
        assert all_ended([pid])


RESTARTED = """
import sys
from pathlib import Path
from harness.targets.start import start_target
from tests.support.strangers import START_STRANGER
from tests.support.targets import run_folder, script_target

folder = Path(sys.argv[1])
plan = script_target(folder, START_STRANGER + "serve(sys.argv[1])")
with start_target(plan, run_folder(folder), agent=False, faults=True) as target:
    first = target.pid
    for order in ("restart", "kill", "start"):
        assert target.place.ask(order) is not None, order
    target.wait_until_ready()
    print(target.is_alive() and target.pid != first)
"""


@pytest.mark.slow
def test_a_process_of_another_user_does_not_keep_a_target_from_starting_again(tmp_path: Path) -> None:
    with beside_stranger(tmp_path, RESTARTED) as (printed, stranger):
        assert printed == "True\n"
        assert runs(stranger)


@pytest.mark.slow
def test_the_shop_keeps_its_orders(tmp_path: Path) -> None:
    with start_target(ShopTarget(environment={"SHOP_PRODUCTS": "5"}), run_folder(tmp_path), faults=True) as target:
        assert target.pid is not None
        with Buyer(target.url) as buyer:
            assert buyer.buy(1).status_code == 201
            (vendor,) = psutil.Process(target.pid).children()
            folder = Path(vendor.cmdline()[-1]).parent
            assert folder.is_dir()
            for order in ("kill", "start"):
                assert target.place.ask(order) is not None
            target.wait_until_ready()
            assert buyer.buy(1).status_code == 201
        assert get(target.url, "/ledger")["orders"] == 2
        payments = get(target.url, "/payments")
        assert (payments["paid"], payments["balanced"]) == (2, True)
    assert not folder.exists()

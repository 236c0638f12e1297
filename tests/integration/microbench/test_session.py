"""A pytest session continues even if its output has no reader, and leaves nothing behind."""

from __future__ import annotations

import itertools
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from harness.microbench.session import Ended, Outlet, Session, need_pytest_benchmark
from tests.support.children import dying_with_the_tests, killed_at_end
from tests.support.errors import harness_error
from tests.support.targets import all_ended

TALKS = "print(('x' * 99 + '\\n') * 20_000)"  # more than a pipe holds
STRAY = "import subprocess, sys; print(subprocess.Popen(['sleep', '600'], start_new_session=True).pid, flush=True)"


def quiet() -> int:
    return 0


@pytest.mark.parametrize("arguments", [["-n", "2"], ["-n2"], ["-nauto"], ["--numprocesses=2"], ["--numprocesses", "2"]])
def test_benchmarks_in_parallel_are_refused(arguments: list[str]) -> None:
    with harness_error("bench-in-parallel"):
        need_pytest_benchmark(arguments)


@pytest.mark.parametrize("arguments", [["-n", "0"], ["-n0"], ["--numprocesses=0"], ["-k", "n2"]])
def test_benchmarks_in_one_process_are_not(arguments: list[str]) -> None:
    need_pytest_benchmark(arguments)


def test_it_continues_without_a_reader_and_with_a_full_disk() -> None:
    def closed(_: str) -> None:
        raise BrokenPipeError

    outlet = Outlet(closed)
    with Session([sys.executable, "-c", TALKS], Path("/dev/full"), outlet) as session:
        assert session.wait(quiet) == Ended(0, interrupted=False)
    outlet.raise_error()  # none


def test_output_comes_in_whole_lines_without_secrets(tmp_path: Path) -> None:
    parts = [b"pass", b"word=p4", b"ss \xe2\x80", b"\xa6\nlast \xff"]
    script = f"import os, time\nfor part in {parts}: os.write(1, part); time.sleep(0.05)"
    output: list[str] = []
    with Session([sys.executable, "-c", script], tmp_path / "log", output.append) as session:
        session.wait(quiet)
    assert output == ["password=*** …\n", "last \N{REPLACEMENT CHARACTER}\n"]
    assert (tmp_path / "log").read_text(errors="replace") == "".join(output)


@pytest.mark.parametrize(("interrupts", "status"), [((0, 1), 7), ((0, 2), -signal.SIGKILL)])
def test_one_interrupt_ends_it_gracefully_and_two_kill_it(
    tmp_path: Path, interrupts: tuple[int, int], status: int
) -> None:
    script = "import sys, time\ntry: print('up', flush=True); time.sleep(60)\nexcept KeyboardInterrupt: sys.exit(7)"
    output: list[str] = []
    counts = itertools.chain(interrupts, itertools.repeat(interrupts[1]))
    with Session([sys.executable, "-c", script], tmp_path / "log", output.append) as session:
        session.wait_for(lambda: bool(output), quiet)
        assert session.wait(lambda: next(counts)) == Ended(status, interrupted=True)


def test_what_a_test_started_in_a_session_of_its_own_ends_with_it(tmp_path: Path) -> None:
    output: list[str] = []
    with Session([sys.executable, "-c", STRAY], tmp_path / "log", output.append) as session:
        session.wait(quiet)
        session.wait_for(lambda: bool(output), quiet)
    assert all_ended([int(output[0])])


def test_it_ends_too_where_the_harness_is_killed(tmp_path: Path) -> None:
    log = tmp_path / "log"
    script = f"""
import sys
from pathlib import Path
from harness.microbench.session import Session
stray = {STRAY!r} + "; import time; time.sleep(600)"
with Session([sys.executable, "-c", stray], Path({str(log)!r}), lambda pid: print(pid, flush=True)) as session:
    session.wait(lambda: 0)
"""
    command = [sys.executable, "-c", script]
    with killed_at_end(subprocess.Popen(dying_with_the_tests(command), stdout=subprocess.PIPE, text=True)) as harness:
        assert harness.stdout is not None
        stray = int(harness.stdout.readline())
    assert all_ended([stray])

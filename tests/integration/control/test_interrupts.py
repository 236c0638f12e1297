"""Signals before, while and after the load: what was started is ended, and a closed terminal costs no report."""

from __future__ import annotations

import os
import pty
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from harness.control.interrupts import Interrupts
from tests.support.children import wait_until
from tests.support.command import finish, start
from tests.support.targets import all_ended

PROGRAM = """
    import sys, time
    from pathlib import Path
    from harness.control.interrupts import Interrupts

    with Interrupts() as interrupts:
        print("ready", flush=True)
        deadline = time.monotonic() + 20
        while not interrupts.count and time.monotonic() < deadline:
            time.sleep(0.01)
        print("ending the run", flush=True)
        print("ending the run", file=sys.stderr, flush=True)
        Path(sys.argv[1]).write_text(f"{interrupts.count}")
"""


def test_messages_to_a_closed_terminal_break_nothing(tmp_path: Path) -> None:
    pid, terminal = pty.fork()
    if pid == 0:
        os.execv(sys.executable, [sys.executable, "-c", textwrap.dedent(PROGRAM), str(tmp_path / "report")])
    assert b"ready" in os.read(terminal, 1000)
    os.close(terminal)
    _, status = os.waitpid(pid, 0)
    assert os.waitstatus_to_exitcode(status) == 0
    assert (tmp_path / "report").read_text() == "1"


SHOWS_A_RESULT = """
    import atexit, os, signal
    from harness.control.interrupts import raise_on_signals

    atexit.register(os.kill, os.getpid(), signal.SIGINT)
    raise_on_signals(ignored=1)
    os.kill(os.getpid(), signal.SIGINT)
    print("shown", flush=True)
    try:
        os.kill(os.getpid(), signal.SIGTERM)
    except KeyboardInterrupt:
        print("interrupted", flush=True)
"""


def test_only_a_second_signal_interrupts_a_command_that_shows_its_result() -> None:
    found = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(SHOWS_A_RESULT)], capture_output=True, text=True, check=True
    )
    assert found.stdout.split() == ["shown", "interrupted"]
    assert not found.stderr  # nor does one while Python ends


WAITS = """
    import signal, time
    from harness.control.interrupts import raise_on_signals

    class Ended:
        def __del__(self):
            signal.raise_signal(signal.SIGINT)

    raise_on_signals()
    try:
        {}
        print("went on", flush=True)
        time.sleep(60)
    except KeyboardInterrupt:
        print("interrupted", flush=True)
"""


@pytest.mark.parametrize(
    "interrupted",
    ["Ended()", "exec(compile('signal.raise_signal(signal.SIGINT)', '<frozen importlib._bootstrap>', 'exec'))"],
)
def test_a_signal_that_python_would_swallow_interrupts_later(interrupted: str) -> None:
    program = textwrap.dedent(WAITS).format(interrupted)
    found = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=50)
    assert (found.stdout.split("\n"), found.stderr) == (["went on", "interrupted", ""], "")


IS_INTERRUPTED_TWICE = """
    import atexit, os, signal, sys
    from harness.cli import main

    class InterruptedImport:
        def find_spec(self, name, *_):
            if name == "harness.cli.doctor":
                signal.raise_signal(signal.SIGINT)

    atexit.register(os.kill, os.getpid(), signal.SIGINT)
    sys.meta_path.insert(0, InterruptedImport())
    sys.argv = ["harness", "doctor"]
    main()
"""


def test_a_second_ctrl_c_while_an_interrupted_command_ends_keeps_its_exit_code() -> None:
    found = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(IS_INTERRUPTED_TWICE)], capture_output=True, text=True, check=False
    )
    assert (found.returncode, found.stderr.strip()) == (130, "harness: interrupted")


NOTE_PIDS = """
import os, pathlib, subprocess, time
left = subprocess.Popen(["sleep", "100"])
pathlib.Path("pids").write_text(f"{os.getpid()} {left.pid} ")
time.sleep(100)
"""
SCENARIO = """
from locust import task
from harness import HttpUser, steady

class Someone(HttpUser):
    @task
    def look(self):
        self.client.get("/")

phases = [steady(users=1, hold="1s")]
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("during", "sent"),
    [
        ("description", signal.SIGQUIT),
        ("start of the target", signal.SIGTERM),
    ],
)
def test_a_signal_before_the_load_is_an_interruption(during: str, sent: signal.Signals, tmp_path: Path) -> None:
    (tmp_path / "waits.py").write_text(NOTE_PIDS)
    (tmp_path / "scenario.py").write_text(SCENARIO)
    scenario = "waits.py" if during == "description" else "scenario.py"
    run = start("run", scenario, "--target", f"{sys.executable} waits.py {{port}}", cwd=tmp_path)
    pids = tmp_path / "pids"
    wait_until(lambda: pids.exists() and pids.read_text().endswith(" "), what="the wait")
    run.send_signal(sent)
    ended = finish(run)
    assert ended.code == 130, ended.err
    assert all_ended(map(int, pids.read_text().split()))


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM, signal.SIGQUIT, signal.SIGHUP])
def test_each_signal_that_asks_for_the_end_is_an_interrupt(sent: signal.Signals) -> None:
    before = signal.getsignal(sent)
    with Interrupts() as interrupts:
        os.kill(os.getpid(), sent)
        assert interrupts.count == 1
    assert signal.getsignal(sent) is before


def test_under_nohup_a_closed_terminal_ends_nothing() -> None:
    former = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with Interrupts() as interrupts:
            os.kill(os.getpid(), signal.SIGHUP)
            os.kill(os.getpid(), signal.SIGQUIT)
            assert interrupts.count == 1
        assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, former)

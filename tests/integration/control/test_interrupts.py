"""A run goes on to its report when the terminal that it was started in is closed."""

from __future__ import annotations

import os
import pty
import sys
import textwrap
from pathlib import Path

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


def test_what_is_said_to_a_closed_terminal_breaks_nothing(tmp_path: Path) -> None:
    pid, terminal = pty.fork()
    if pid == 0:
        os.execv(sys.executable, [sys.executable, "-c", textwrap.dedent(PROGRAM), str(tmp_path / "report")])
    assert b"ready" in os.read(terminal, 1000)
    os.close(terminal)
    _, status = os.waitpid(pid, 0)
    assert os.waitstatus_to_exitcode(status) == 0
    assert (tmp_path / "report").read_text() == "1"

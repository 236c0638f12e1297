"""``harness run`` on a real terminal: the live view, and Ctrl-C in it."""

from __future__ import annotations

import codecs
import fcntl
import json
import os
import re
import select
import struct
import subprocess
import sys
import termios
import textwrap
import time
from pathlib import Path

import pytest

from tests.support.children import die_with_the_tests
from tests.support.counting_server import CountingServer

ENTER, LEAVE = "\x1b[?1049h", "\x1b[?1049l"
_HOME = "\x1b[H"
"""Before each picture."""
_ESCAPE = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
_LONGEST_S = 60.0

SCENARIO = """
    from locust import constant, task
    from harness import HttpUser, gate, steady

    class Getter(HttpUser):
        wait_time = constant(0.05)

        @task
        def a(self):
            self.client.get("/a")

    phases = [steady(users=3, hold="{hold}", name="hold")]
    gates = [gate("p50 < 5s", phase="hold")]
"""


def command(folder: Path, url: str, hold: str, *more: str) -> list[str]:
    scenario = folder / "getter.py"
    scenario.write_text(textwrap.dedent(SCENARIO).replace("{hold}", hold))
    out = str(folder / "reports")
    return [sys.executable, "-m", "harness", "run", str(scenario), "--host", url, "--out", out, *more]


def surroundings() -> dict[str, str]:
    """A person's terminal, whatever the tests run in."""
    unwanted = ("CI", "COLUMNS", "LINES", "NO_COLOR", "FORCE_COLOR")
    return {name: value for name, value in os.environ.items() if name not in unwanted} | {"TERM": "xterm-256color"}


class Terminal:
    """A process on a pseudo-terminal of its own, which it controls (so Ctrl-C reaches it)."""

    def __init__(self, arguments: list[str], width: int, height: int) -> None:
        self.written = ""
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._master, slave = os.openpty()
        self.resize(width, height)

        def take_terminal() -> None:
            die_with_the_tests()
            fcntl.ioctl(slave, termios.TIOCSCTTY, 0)

        self.process = subprocess.Popen(
            arguments,
            stdin=slave,
            stdout=slave,
            stderr=slave,
            env=surroundings(),
            start_new_session=True,
            preexec_fn=take_terminal,
        )
        os.close(slave)

    def resize(self, width: int, height: int) -> None:
        fcntl.ioctl(self._master, termios.TIOCSWINSZ, struct.pack("HHHH", height, width, 0, 0))

    def press(self, key: str) -> None:
        os.write(self._master, key.encode())

    def echoes_control(self) -> bool:
        """Whether it shows a key such as Ctrl-C as ``^C``."""
        return bool(termios.tcgetattr(self._master)[3] & termios.ECHOCTL)

    def read_until(self, wanted: str | None) -> None:
        """Read what the process writes until ``wanted`` came (None: until it ends)."""
        deadline = time.monotonic() + _LONGEST_S
        begin = len(self.written)
        while wanted is None or wanted not in self.written[begin:]:
            assert time.monotonic() < deadline, f"{wanted!r} did not come: {self.written[-2000:]!r}"
            if not select.select([self._master], [], [], 0.5)[0]:
                continue
            try:
                part = os.read(self._master, 65536)
            except OSError:  # Linux says EIO when the last process has closed the terminal.
                part = b""
            if not part:
                assert wanted is None, f"it ended before {wanted!r} came: {self.written[-2000:]!r}"
                return
            self.written += self._decoder.decode(part)

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        os.close(self._master)


def pictures(written: str) -> list[list[str]]:
    """What was drawn on the alternate screen, as lines without colours."""
    drawn = written.partition(ENTER)[2].partition(LEAVE)[0].replace("\r\n", "\n").split(_HOME)
    return [_ESCAPE.sub("", picture).split("\n") for picture in drawn[1:]]


@pytest.mark.slow
def test_the_live_view_on_a_terminal_and_ctrl_c_in_it(server: CountingServer, tmp_path: Path) -> None:
    terminal = Terminal(command(tmp_path, server.url, "40s"), 80, 24)
    try:
        terminal.read_until("of 3 users")
        first = pictures(terminal.written)
        assert all(len(picture) <= 24 and max(map(len, picture)) <= 80 for picture in first)
        terminal.resize(50, 12)
        before = len(first)
        for _ in range(4):
            terminal.read_until(_HOME)
        # The picture at hand when the size changed, and the one that is only half read, are of no size.
        later = pictures(terminal.written)[before + 1 : -1]
        assert later
        assert all(len(picture) <= 12 and max(map(len, picture)) <= 50 for picture in later)
        terminal.press("\x03")
        terminal.read_until(None)
        assert terminal.process.wait(_LONGEST_S) == 130
        assert "^C" not in terminal.written
        assert terminal.echoes_control()
    finally:
        terminal.close()
    (path,) = tmp_path.glob("reports/*/summary.json")
    summary = json.loads(path.read_text())
    assert summary["totals"]["requests"] == server.served["GET /a"]
    assert summary["verdict"] == "inconclusive"
    after = " ".join(_ESCAPE.sub("", terminal.written.partition(LEAVE)[2]).split())
    assert all(reason in after for reason in summary["reasons"])

"""Faults by commands and HTTP requests: both ends run, and each failure says which and why."""

from __future__ import annotations

import http.server
import json
import os
import shlex
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

import psutil
import pytest

from harness.errors import HarnessError
from harness.faults.command import CommandFault
from harness.faults.place import Place
from harness.messages import message
from tests.support.children import wait_until
from tests.support.targets import runs

HERE = Place(allowed=("command",))


Seen = list[tuple[str, str, str, str]]
"""Of each request: method, path, body, and who sent it."""


class _Chaos(http.server.BaseHTTPRequestHandler):
    """An API like those of chaos tools."""

    seen: ClassVar[Seen] = []

    def _answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
        self.seen.append((self.command, self.path, body, self.headers.get("Authorization", "")))
        self.send_response({"/broken": 500, "/moved": 302}.get(self.path, 200))
        self.send_header("Location", "/elsewhere")
        self.end_headers()

    do_GET = do_POST = do_DELETE = _answer  # noqa: N815  (http.server's names)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def chaos() -> Iterator[tuple[str, Seen]]:
    _Chaos.seen.clear()
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Chaos) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}", _Chaos.seen
        server.shutdown()


def code_of(fault: CommandFault, *, end: bool = False) -> HarnessError:
    with pytest.raises(HarnessError) as raised:
        fault.end(HERE) if end else fault.begin(HERE)
    assert str(raised.value), "its sentence can be filled in"
    return raised.value


def test_commands_begin_and_end_it(tmp_path: Path) -> None:
    mark = tmp_path / "broken"
    fault = CommandFault(start=f"touch {mark}", stop=f"rm -f {mark}")
    fault.check(HERE)
    fault.begin(HERE)
    assert mark.exists()
    fault.end(HERE)
    assert not mark.exists()
    fault.end(HERE)


def test_requests_begin_and_end_it(chaos: tuple[str, Seen], monkeypatch: pytest.MonkeyPatch) -> None:
    url, seen = chaos
    monkeypatch.setenv("CHAOS_KEY", "k7")
    fault = CommandFault(
        start_url=f"{url}/attacks",
        start_body={"target": "db", "key": "$CHAOS_KEY"},
        stop_url=f"{url}/attacks/all",
        stop_method="DELETE",
        headers={"Authorization": "Key $CHAOS_KEY"},
    )
    fault.check(HERE)
    fault.begin(HERE)
    fault.end(HERE)
    (begun, ended) = seen
    assert (begun[0], begun[1], json.loads(begun[2])) == ("POST", "/attacks", {"target": "db", "key": "k7"})
    assert ended == ("DELETE", "/attacks/all", "", "Key k7")


def test_what_fails_says_why(chaos: tuple[str, Seen], tmp_path: Path) -> None:
    url, _ = chaos
    error = code_of(CommandFault(start="sh -c 'echo no such pod --token s3cret; exit 3'", stop="true"))
    assert (error.code, error.params["status"]) == ("fault-command-failed", 3)
    assert "no such pod" in str(error.params["output"])
    assert "s3cret" not in str(error)
    silent = code_of(CommandFault(start="true", stop="false"), end=True)
    assert (silent.code, silent.params["output"]) == ("fault-command-failed", message("fault-command-silent"))
    assert code_of(CommandFault(start=str(tmp_path), stop="true")).code == "fault-command-not-started"
    assert code_of(CommandFault(start_url=f"{url}/broken", stop="true")).code == "fault-request-failed"
    assert code_of(CommandFault(start="true", stop_url="http://127.0.0.1:1/"), end=True).code == "fault-request-failed"


@pytest.mark.slow
def test_a_command_that_hangs_is_killed_with_what_it_has_started(tmp_path: Path) -> None:
    noted = tmp_path / "pid"
    began_s = time.monotonic()
    error = code_of(CommandFault(start=f"sh -c 'sleep 600 & echo $! > {noted}; wait'", stop="true", timeout=3.0))
    assert error.code == "fault-command-timeout"
    assert time.monotonic() - began_s < 30
    wait_until(lambda: not runs(int(noted.read_text())))


DAEMON = "setsid sh -c 'echo $$ > \"$NOTED\"; exec sleep 600' &"


@pytest.mark.slow
@pytest.mark.parametrize("start", [f"{DAEMON} wait", f"({DAEMON}); sleep 600"], ids=["a child", "an orphan"])
def test_a_command_that_hangs_is_killed_with_processes_in_other_sessions(
    start: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    noted = tmp_path / "pid"
    monkeypatch.setenv("NOTED", str(noted))
    error = code_of(CommandFault(start=f"sh -c {shlex.quote(start)}", stop="true", timeout=3.0))
    assert error.code == "fault-command-timeout"
    assert not runs(int(noted.read_text()))


def test_a_background_server_of_start_keeps_running(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    noted = tmp_path / "pid"
    monkeypatch.setenv("NOTED", str(noted))
    fault = CommandFault(start=f"sh -c {shlex.quote(DAEMON)}", stop="sh -c 'kill $(cat \"$NOTED\")'")
    fault.begin(HERE)
    wait_until(lambda: noted.exists() and bool(noted.read_text().strip()))
    left = psutil.Process(int(noted.read_text()))
    assert left.ppid() not in (os.getpid(), 0)
    assert runs(left.pid)
    fault.end(HERE)
    wait_until(lambda: not runs(left.pid))


def test_a_command_may_leave_something_running(tmp_path: Path) -> None:
    noted = tmp_path / "pid"
    burn = f"{shlex.quote(sys.executable)} -c 'import time; time.sleep(600)'"
    fault = CommandFault(start=f'sh -c "{burn} & echo $! > {noted}"', stop=f"sh -c 'kill $(cat {noted})'")
    began_s = time.monotonic()
    fault.begin(HERE)
    assert time.monotonic() - began_s < 20
    left = psutil.Process(int(noted.read_text()))
    assert os.getsid(left.pid) != os.getsid(0), "Ctrl-C does not reach it"
    fault.end(HERE)
    wait_until(lambda: not runs(left.pid))


def test_a_command_runs_though_no_temporary_file_can_be_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", "/no/such")
    mark = tmp_path / "broken"
    mark.touch()
    CommandFault(start="true", stop=f"rm {mark}").end(HERE)
    assert not mark.exists()


def test_a_program_that_is_not_there_is_found_out_before_any_load() -> None:
    with pytest.raises(HarnessError) as raised:
        CommandFault(start="true", stop="no-such-program --undo").check(HERE)
    assert (raised.value.code, raised.value.params) == ("fault-program-not-found", {"program": "no-such-program"})


def test_a_redirect_does_not_get_the_headers(chaos: tuple[str, Seen]) -> None:
    url, seen = chaos
    fault = CommandFault(start_url=f"{url}/moved", stop="true", headers={"Authorization": "Key k7"})
    assert code_of(fault).code == "fault-request-failed"
    assert [path for _, path, _, _ in seen] == ["/moved"]


@pytest.mark.parametrize("value", ["k7\n", "file:///etc/hostname", "k7"])
def test_what_a_variable_holds_is_not_shown(
    chaos: tuple[str, Seen], value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CHAOS", value)
    url = chaos[0] if value.endswith("\n") else "$CHAOS"
    error = code_of(CommandFault(start_url=url, stop="true", headers={"Authorization": "Key $CHAOS"}))
    assert error.code in ("fault-request-failed", "fault-request-invalid")
    assert value not in str(error)
    assert "k7" not in str(error)


def test_only_the_end_of_a_long_output_is_read() -> None:
    error = code_of(CommandFault(start="sh -c 'head -c 300000000 /dev/zero; echo no such pod; exit 3'", stop="true"))
    assert str(error.params["output"]).endswith("no such pod")

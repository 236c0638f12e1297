"""The process that forks the others: what it starts ends as it says, and with it."""

from __future__ import annotations

import os
import select
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from harness.engine.fork_server import HOOK, ForkedProcess, ForkServer
from tests.support.children import wait_until
from tests.support.engine import scenario
from tests.support.errors import harness_error
from tests.support.fork_servers import fork_server

VERIFYING = "from locust import User\ndef verify(target):\n    import os, signal, time\n    "


@contextmanager
def verifying(server: ForkServer, folder: Path, body: str) -> Iterator[ForkedProcess]:
    path = scenario(folder, VERIFYING + body)
    with Path(os.devnull).open("w") as nowhere:
        options = {"hook": "verify", "files": [str(path)], "url": "", "data": [], "rows": []}
        process = server.start(HOOK, stdout=nowhere.fileno(), stderr=nowhere.fileno(), **options)
    with process.stdin:
        yield process


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ("pass", 0),
        ("os._exit(7)", 7),
        ("os.kill(os.getpid(), signal.SIGTERM)", -signal.SIGTERM),
        ("import threading; threading.Thread(target=time.sleep, args=(300,)).start()", 0),
    ],
)
def test_a_process_ends_with_its_own_exit_status(tmp_path: Path, body: str, status: int) -> None:
    with verifying(fork_server(), tmp_path, body) as process:
        assert process.wait(60) == status
        assert process.poll() == status


@pytest.mark.slow
def test_a_server_keeps_nothing_open_of_what_it_started(tmp_path: Path) -> None:
    opened = []
    with ForkServer() as server:
        for _ in range(3):
            with verifying(server, tmp_path, "pass") as process:
                parent = psutil.Process(process.pid).parent()
                assert parent is not None
                assert process.wait(60) == 0
            opened.append(parent.num_fds())
    assert opened[1:] == opened[:1] * 2


def test_the_end_of_a_process_ends_the_pipes_that_it_had(tmp_path: Path) -> None:
    reader, writer = os.pipe()
    options = {
        "hook": "verify",
        "files": [str(scenario(tmp_path, VERIFYING + "pass"))],
        "url": "",
        "data": [],
        "rows": [],
    }
    process = fork_server().start(HOOK, stdout=writer, stderr=writer, **options)
    os.close(writer)
    with process.stdin, os.fdopen(reader, "rb", buffering=0) as printed:
        while (ready := bool(select.select([printed], [], [], 60)[0])) and printed.read(4096):
            pass
        assert ready
        assert process.wait(60) == 0
        with pytest.raises(BrokenPipeError):
            process.stdin.write(b"nobody reads this")


def test_a_process_runs_in_a_session_of_its_own_and_is_shown_under_its_own_name(tmp_path: Path) -> None:
    with verifying(fork_server(), tmp_path, "time.sleep(60)") as process:
        wait_until(lambda: HOOK in psutil.Process(process.pid).cmdline(), what="its name")
        assert os.getsid(process.pid) == process.pid
        assert (process.wait(0.01), process.poll()) == (None, None)
        process.kill()
        assert process.wait(10) == -signal.SIGKILL


@pytest.mark.slow
def test_what_was_given_another_environment_ends_with_the_server(tmp_path: Path) -> None:
    noted = tmp_path / "pid"
    left = "subprocess.Popen(['sleep', '300'], env={}, start_new_session=True).pid"
    with (
        ForkServer() as server,
        verifying(server, tmp_path, f"import subprocess; open({str(noted)!r}, 'w').write(str({left}))") as process,
    ):
        assert process.wait(60) == 0
        stray = psutil.Process(int(noted.read_text()))
        assert stray.is_running()
    wait_until(lambda: not stray.is_running() or stray.status() == psutil.STATUS_ZOMBIE, what="its end")


def test_what_a_killed_server_has_forked_ends_with_it(tmp_path: Path) -> None:
    with ForkServer() as server, verifying(server, tmp_path, "time.sleep(60)") as process:
        parent = psutil.Process(process.pid).parent()
        assert parent is not None
        wait_until(lambda: HOOK in psutil.Process(process.pid).cmdline(), what="its name")
        parent.kill()
        assert process.wait(10) == -signal.SIGKILL
        with harness_error("engine-not-started"), verifying(server, tmp_path, "pass"):
            pass


def test_an_engine_that_cannot_be_imported_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "locust.py").write_text("raise LookupError('no licence here')\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with ForkServer() as server, harness_error("engine-not-started") as error, verifying(server, tmp_path, "pass"):
        pass
    assert str(error.value.params["reason"]).endswith("LookupError: no licence here")

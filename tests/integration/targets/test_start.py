"""A managed target gets ready, is watched, and ends with everything it spawned; errors name the cause."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import urllib.request
from multiprocessing.connection import Connection
from pathlib import Path

import psutil
import pytest

from harness.errors import ExitCode, HarnessError
from harness.messages import Message
from harness.plan.model.target import AttachedTarget, CommandTarget, ShopTarget
from harness.targets.start import start_target
from harness.targets.supervised_process import SupervisedProcess
from tests.support.children import dying_with_the_tests, killed_at_end, wait_until
from tests.support.faults import suspend
from tests.support.targets import HTTP_SERVER, all_ended, run_folder, runs, script_target


def test_a_managed_target_is_ready_when_it_is_handed_over_and_gone_afterwards(tmp_path: Path) -> None:
    folder = run_folder(tmp_path)
    plan = script_target(tmp_path, "print('hello', os.environ['PORT'], flush=True)\nserve(sys.argv[1])")
    with start_target(plan, folder) as target:
        assert urllib.request.urlopen(f"{target.url}/health").status == 200
        assert target.managed
        assert target.is_alive()
        assert target.exit_description().code == "target-running"
        assert target.describe() == f"{plan.command}, at {target.url}"
        assert target.pid is not None
        assert runs(target.pid)
        supervisor = psutil.Process(target.pid).ppid()
        port = target.url.rpartition(":")[2]
    assert all_ended([target.pid, supervisor])
    assert target.exit_description().params == {"signal": "SIGTERM"}
    assert not target.is_alive()
    assert folder.target_log.read_text() == f"hello {port}\n"
    target.stop()  # twice is once


@pytest.mark.slow
def test_the_embedded_shop_starts_and_ends_with_its_payment_vendor(tmp_path: Path) -> None:
    plan = ShopTarget(environment={"SHOP_PRODUCTS": "50"})
    with start_target(plan, run_folder(tmp_path)) as target:
        assert target.pid is not None
        assert urllib.request.urlopen(f"{target.url}/health").status == 200
        tree = [target.pid, *(child.pid for child in psutil.Process(target.pid).children(recursive=True))]
        assert len(tree) > 1
    assert all_ended(tree)


def test_a_daemon_in_another_session_is_ended_too(tmp_path: Path) -> None:
    noted = tmp_path / "daemon.pid"
    code = f"""
import subprocess
daemon = "import os, signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); "
daemon += "open({str(noted)!r}, 'w').write(str(os.getpid())); time.sleep(300)"
# the process between ends at once: the daemon is then nobody's child
between = "import subprocess, sys; subprocess.Popen([sys.executable, '-c', sys.argv[1]], start_new_session=True)"
subprocess.run([sys.executable, "-c", between, daemon], check=True)
serve(sys.argv[1])
"""
    target = start_target(script_target(tmp_path, code), run_folder(tmp_path))
    assert isinstance(target.pid, int)
    try:
        wait_until(lambda: noted.exists() and noted.read_text() != "")
        daemon = int(noted.read_text())
        assert runs(daemon)
        os.kill(psutil.Process(target.pid).ppid(), signal.SIGTERM)  # as a shutdown of the machine would
    finally:
        target.stop()
    assert all_ended([daemon, target.pid])


def test_a_target_that_ignores_sigterm_is_killed_after_its_grace(tmp_path: Path) -> None:
    code = (
        "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('on', flush=True); time.sleep(300)"
    )
    log = tmp_path / "log"
    process = SupervisedProcess([sys.executable, "-c", code], os.environ, log)
    wait_until(lambda: log.exists() and "on" in log.read_text())
    process.stop(0.2)
    assert process.poll() == -signal.SIGKILL
    assert all_ended([process.pid])


@pytest.mark.parametrize(
    ("number", "code", "name"),
    [(signal.SIGKILL, "target-killed", "SIGKILL"), (40, "target-killed", "signal 40")],
)
def test_a_target_that_dies_during_the_run_is_noticed(number: int, code: str, name: str, tmp_path: Path) -> None:
    with start_target(script_target(tmp_path, "serve(sys.argv[1])"), run_folder(tmp_path)) as target:
        assert target.pid is not None
        os.kill(target.pid, number)
        wait_until(lambda: not target.is_alive())
        end = target.exit_description()
        assert (end.code, end.params) == (code, {"signal": name})


def test_a_target_dies_with_its_supervisor(tmp_path: Path) -> None:
    with start_target(script_target(tmp_path, "serve(sys.argv[1])"), run_folder(tmp_path)) as target:
        assert target.pid is not None
        agents = target.agents()[0].address.parent
        os.kill(psutil.Process(target.pid).ppid(), signal.SIGKILL)
        assert all_ended([target.pid])
        assert not target.is_alive()
    assert not agents.exists()


def test_a_target_ends_with_all_its_processes_if_its_supervisor_is_stopped(tmp_path: Path) -> None:
    code = "import subprocess\nsubprocess.Popen(['sleep', '600'], start_new_session=True)\nserve(sys.argv[1])"
    with start_target(script_target(tmp_path, code), run_folder(tmp_path)) as target:
        assert target.pid is not None
        tree = [target.pid, *(child.pid for child in psutil.Process(target.pid).children())]
        suspend(psutil.Process(psutil.Process(target.pid).ppid()))
    assert len(tree) == 2
    assert all_ended(tree)


def test_ctrl_c_reaches_the_target_as_it_would_a_program_of_its_own(tmp_path: Path) -> None:
    """It inherits no ignored SIGINT from its supervisor."""
    with start_target(script_target(tmp_path, "serve(sys.argv[1])"), run_folder(tmp_path)) as target:
        assert target.pid is not None
        os.kill(target.pid, signal.SIGINT)
        wait_until(lambda: not target.is_alive())


def test_a_target_that_exits_early_shows_its_last_words(tmp_path: Path) -> None:
    plan = script_target(tmp_path, "sys.exit('no database here')")
    with pytest.raises(HarnessError) as raised:
        start_target(plan, run_folder(tmp_path))
    assert (raised.value.code, raised.value.exit_code) == ("target-ended-early", ExitCode.BROKEN)
    ended = raised.value.params["ended"]
    assert isinstance(ended, Message)
    assert (ended.code, ended.params) == ("target-exited", {"status": 1})
    assert "no database here" in str(raised.value.params["output"])


@pytest.mark.slow
@pytest.mark.parametrize(
    ("code", "seen"),
    [
        ("import time; time.sleep(60)", "ready-nothing-listened"),
        ("Handler.do_GET = lambda self: self.send_error(503)\nserve(sys.argv[1])", "ready-status"),
        (
            "import time; Handler.do_GET = lambda self: time.sleep(60)\nserve(sys.argv[1])",
            "ready-no-response",
        ),
        (
            "Handler.do_GET = lambda self: self.wfile.write(b'220 ftp ready\\r\\n')\nserve(sys.argv[1])",
            "ready-no-http",
        ),
        (
            "import time\ndef drip(self):\n  self.send_response(200)\n  self.flush_headers()\n"
            "  while True: self.wfile.write(b'x'); time.sleep(0.1)\nHandler.do_GET = drip\nserve(sys.argv[1])",
            "ready-no-response",
        ),
    ],
)
def test_a_target_that_never_gets_healthy_is_ended_and_the_cause_reported(tmp_path: Path, code: str, seen: str) -> None:
    plan = script_target(
        tmp_path, f"open({str(tmp_path / 'pid')!r}, 'w').write(str(os.getpid()))\n{code}", ready_timeout_s=6.0
    )
    with pytest.raises(HarnessError) as raised:
        start_target(plan, run_folder(tmp_path))
    assert (raised.value.code, raised.value.exit_code) == ("target-not-ready", ExitCode.BROKEN)
    assert (raised.value.params["timeout_s"], raised.value.params["path"]) == (6.0, "/health")
    happened = raised.value.params["seen"]
    assert isinstance(happened, Message)
    assert happened.code == seen
    assert "{port}" in str(raised.value.hint)
    assert all_ended([int((tmp_path / "pid").read_text())])


def test_a_target_is_ready_by_the_status_of_its_response_though_the_body_never_ends(tmp_path: Path) -> None:
    code = """
import time
def flood(self):
    self.send_response(200)
    self.end_headers()
    while True:
        self.wfile.write(b"x")
        time.sleep(0.1)
Handler.do_GET = flood
serve(sys.argv[1])
"""
    with start_target(script_target(tmp_path, code), run_folder(tmp_path)) as target:
        assert target.is_alive()


def test_a_ready_path_may_hold_letters_that_no_request_line_does(tmp_path: Path) -> None:
    code = "Handler.do_GET = lambda self: self.send_error(204 if self.path == '/gesund%20%C3%BC?a=1' else 404)\n"
    plan = script_target(tmp_path, code + "serve(sys.argv[1])")
    with start_target(plan.model_copy(update={"ready_path": "/gesund ü?a=1"}), run_folder(tmp_path)) as target:
        assert target.is_alive()


def test_a_target_that_ends_before_its_number_is_read_has_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its supervisor's two words, number and exit status, are then both there."""
    poll = Connection.poll

    def poll_late(channel: Connection, timeout: float | None = 0.0) -> bool:
        with socket.socket(fileno=os.dup(channel.fileno())) as peeked:
            wait_until(lambda: b"returncode" in peeked.recv(4096, socket.MSG_PEEK))
        return poll(channel, timeout)

    monkeypatch.setattr(Connection, "poll", poll_late)
    process = SupervisedProcess(["false"], os.environ, tmp_path / "log")
    monkeypatch.undo()
    assert process.poll() == 1
    process.stop(1.0)


def test_of_a_flood_of_output_the_last_words_are_shown(tmp_path: Path) -> None:
    plan = script_target(tmp_path, "sys.exit('x' * 1_000_000 + '\\n' + 'y' * 10_000 + '\\nno database here')")
    with pytest.raises(HarnessError) as raised:
        start_target(plan, run_folder(tmp_path))
    assert "no database here" in str(raised.value.params["output"])
    assert len(str(raised.value)) < 2_000


def test_a_fixed_port_that_is_in_use_is_named_as_the_cause(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        plan = script_target(tmp_path, f"serve({taken.getsockname()[1]})")
        with pytest.raises(HarnessError) as raised:
            start_target(plan, run_folder(tmp_path))
    assert raised.value.code == "target-own-port-taken"


@pytest.mark.parametrize(("losses", "starts"), [(1, True), (9, False)])
def test_another_port_is_tried_if_the_free_one_was_taken(tmp_path: Path, losses: int, starts: bool) -> None:
    """The target asks this test to take its port first, as another program might in between."""
    asked = socket.create_server(("127.0.0.1", 0))
    held: list[socket.socket] = []

    def thief() -> None:
        while True:
            try:
                connection, _ = asked.accept()
            except OSError:
                return
            with connection:
                port = int(connection.recv(16))
                if len(held) < losses:
                    held.append(socket.socket())
                    held[-1].bind(("127.0.0.1", port))
                connection.sendall(b"done")

    thread = threading.Thread(target=thief)
    thread.start()
    code = f"""
import socket
with socket.create_connection(("127.0.0.1", {asked.getsockname()[1]})) as test:
    test.sendall(sys.argv[1].encode())
    test.recv(4)
serve(sys.argv[1])
"""
    plan = script_target(tmp_path, code)
    try:
        if starts:
            with start_target(plan, run_folder(tmp_path)) as target:
                assert target.is_alive()
        else:
            with pytest.raises(HarnessError) as raised:
                start_target(plan, run_folder(tmp_path))
            assert (raised.value.code, raised.value.exit_code) == ("target-port-taken", ExitCode.BROKEN)
            assert raised.value.params["attempts"] == 3
    finally:
        asked.shutdown(socket.SHUT_RDWR)
        asked.close()
        thread.join()
        for taken in held:
            taken.close()


@pytest.mark.parametrize(
    ("command", "code", "exit_code"),
    [
        ("no-such-program --port {port}", "target-not-started", ExitCode.BROKEN),
        ("sleep 1\0", "target-not-started", ExitCode.BROKEN),
        ("app 'unfinished", "target-command-invalid", ExitCode.USAGE),
        ("  ", "target-command-empty", ExitCode.USAGE),
    ],
)
def test_an_invalid_command_is_rejected(tmp_path: Path, command: str, code: str, exit_code: ExitCode) -> None:
    with pytest.raises(HarnessError) as raised:
        start_target(CommandTarget(command=command), run_folder(tmp_path))
    assert (raised.value.code, raised.value.exit_code) == (code, exit_code)


def test_nothing_outlives_a_supervisor_that_cannot_write_the_log(tmp_path: Path) -> None:
    started = tmp_path / "started"
    script = f"sleep 300 & echo $! > {started}.new; mv {started}.new {started}; wait"
    process = SupervisedProcess(["sh", "-c", script], os.environ, tmp_path)  # a folder cannot be opened
    wait_until(lambda: process.poll() is not None)
    process.stop(0)
    assert not started.exists() or not psutil.pid_exists(int(started.read_text()))


def test_nothing_outlives_a_controller_that_is_killed(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text(
        HTTP_SERVER
        + "import subprocess\nsubprocess.Popen(['sleep', '300'], start_new_session=True)\nserve(sys.argv[1])"
    )
    controller = tmp_path / "controller.py"
    controller.write_text(
        f"""
import sys, time
from pathlib import Path
from harness.plan.model.target import CommandTarget
from harness.record.run_folder import RunFolder
from harness.targets.start import start_target
folder = RunFolder.create(Path({str(tmp_path)!r}), "run")
target = start_target(CommandTarget(command="{sys.executable} {tmp_path / "app.py"} {{port}}"), folder)
print(target.agents()[0].address.parent, flush=True)
time.sleep(300)
"""
    )
    command = dying_with_the_tests([sys.executable, controller])
    with killed_at_end(subprocess.Popen(command, stdout=subprocess.PIPE, text=True)) as process:
        assert process.stdout is not None
        agents = Path(process.stdout.readline().strip())
        tree = [child.pid for child in psutil.Process(process.pid).children(recursive=True)]
        assert len(tree) == 3  # supervisor, target, its child
        assert agents.is_dir()
    assert all_ended(tree)
    assert not agents.exists()


class TestAttached:
    @pytest.mark.slow
    def test_its_process_is_watched_and_left_alone(self, tmp_path: Path) -> None:
        with start_target(script_target(tmp_path, "serve(sys.argv[1])"), run_folder(tmp_path)) as managed:
            assert managed.pid is not None
            with start_target(AttachedTarget(url=f"{managed.url}/", pid=managed.pid), run_folder(tmp_path / "b")) as it:
                assert it.url == managed.url
                assert not it.managed
                assert it.agents() == []
                assert it.describe() == f"{managed.url} (process {managed.pid})"
                assert it.exit_description().code == "target-running"
            assert managed.is_alive()
            without_pid = start_target(AttachedTarget(url=managed.url), run_folder(tmp_path / "c"))
            assert without_pid.pid is None
            assert without_pid.describe() == managed.url
        assert not it.is_alive()
        assert it.exit_description().params == {"pid": managed.pid}
        assert without_pid.is_alive()  # not known

    def test_a_process_that_does_not_exist_is_rejected(self, tmp_path: Path) -> None:
        with subprocess.Popen(["true"]) as ended:
            ended.wait()
        with pytest.raises(HarnessError) as raised:
            start_target(AttachedTarget(url="http://127.0.0.1:9", pid=ended.pid), run_folder(tmp_path))
        assert (raised.value.code, raised.value.where) == ("target-pid-not-found", f"--pid {ended.pid}")

    def test_an_address_where_nothing_listens_breaks_the_run(self, tmp_path: Path) -> None:
        with socket.create_server(("127.0.0.1", 0)) as briefly:
            port = briefly.getsockname()[1]
        with pytest.raises(HarnessError) as raised:
            start_target(AttachedTarget(url=f"http://127.0.0.1:{port}"), run_folder(tmp_path))
        assert (raised.value.code, raised.value.exit_code) == ("target-unreachable", ExitCode.BROKEN)
        assert raised.value.params["reason"] == "Connection refused"


def test_a_target_that_died_with_its_supervisor_is_not_taken_for_out_of_memory(tmp_path: Path) -> None:
    with start_target(script_target(tmp_path, "serve(sys.argv[1])"), run_folder(tmp_path)) as target:
        assert target.pid is not None
        psutil.Process(target.pid).parent().kill()  # type: ignore[union-attr]  # it has one
        wait_until(lambda: not target.is_alive())
        assert target.exit_description().code == "target-supervisor-killed"


def test_a_supervisor_that_dies_before_the_target_is_ready_is_named(tmp_path: Path) -> None:
    plan = script_target(tmp_path, f"import time; os.kill(os.getppid(), {int(signal.SIGKILL)}); time.sleep(60)")
    with pytest.raises(HarnessError) as raised:
        start_target(plan, run_folder(tmp_path))
    assert (raised.value.code, raised.value.exit_code) == ("supervisor-not-started", ExitCode.BROKEN)


def test_an_attached_process_may_end_while_the_url_responds(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        plan = AttachedTarget(url=f"http://127.0.0.1:{listener.getsockname()[1]}")
        with killed_at_end(subprocess.Popen(dying_with_the_tests(["sleep", "300"]))) as watched:
            target = start_target(plan.model_copy(update={"pid": watched.pid}), run_folder(tmp_path))
            assert target.notice() is None
        assert target.is_alive()
        notice = target.notice()
        assert notice is not None
        assert (notice.code, notice.params) == ("target-pid-ended", {"pid": watched.pid, "url": plan.url})
        assert target.notice() is None
    wait_until(lambda: not target.is_alive())
    assert target.exit_description().code == "target-ended"

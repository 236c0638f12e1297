"""Children that run user code: they answer whatever the scenario leaves behind, and leave no process themselves."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from harness.control import user_code
from harness.control.user_code import describe_scenario, verify_target
from harness.errors import HarnessError
from tests.support.children import die_with_the_tests, wait_until

USER = "from locust import User, task\nclass Shopper(User):\n    @task\n    def buy(self): pass\n"
LEAVES_A_PROCESS = """
import os, pathlib, subprocess
left = subprocess.Popen(["sleep", "100"])
pathlib.Path(__file__).with_name("pids").write_text(f"{os.getpid()} {left.pid} ")
"""


def scenario(folder: Path, text: str, name: str = "shop.py") -> Path:
    path = folder / name
    path.write_text(text)
    return path


def fault_of(path: Path) -> HarnessError:
    with pytest.raises(HarnessError) as raised:
        describe_scenario(path)
    return raised.value


def have_ended(folder: Path) -> bool:
    return not any(runs(int(pid)) for pid in (folder / "pids").read_text().split())


def runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def test_a_process_left_behind_on_import_holds_no_answer_up(tmp_path: Path) -> None:
    described = describe_scenario(scenario(tmp_path, USER + LEAVES_A_PROCESS))
    assert [user.name for user in described.user_classes] == ["Shopper"]
    wait_until(lambda: have_ended(tmp_path), what="the end of what the scenario started")


def test_a_process_left_behind_by_verify_holds_no_answer_up(tmp_path: Path) -> None:
    indented = LEAVES_A_PROCESS.replace("\n", "\n    ")
    path = scenario(tmp_path, f"{USER}def verify(target):{indented}\n    assert False, 'one was sold twice'\n")
    result = verify_target([path], "http://127.0.0.1:9")
    assert (result["status"], result["message"]) == ("fail", "one was sold twice")
    wait_until(lambda: have_ended(tmp_path), what="the end of what verify started")


def test_a_scenario_that_never_answers_is_ended_with_all_it_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(user_code, "DESCRIBE_TIMEOUT_S", 8.0)
    fault = fault_of(scenario(tmp_path, USER + LEAVES_A_PROCESS + "left.wait()\n"))
    assert fault.message == "the scenario did not answer within 8 s"
    wait_until(lambda: have_ended(tmp_path), what="the end of what the scenario started")


@pytest.mark.parametrize(("sent", "and_its_own"), [(signal.SIGINT, True), (signal.SIGKILL, False)])
def test_children_end_with_the_harness(tmp_path: Path, sent: signal.Signals, and_its_own: bool) -> None:
    path = scenario(tmp_path, USER + LEAVES_A_PROCESS + "left.wait()\n")
    asks = f"from pathlib import Path\nfrom harness.control.user_code import *\ndescribe_scenario(Path({str(path)!r}))"
    asker = subprocess.Popen([sys.executable, "-c", asks], stderr=subprocess.DEVNULL, preexec_fn=die_with_the_tests)
    pids = tmp_path / "pids"
    wait_until(lambda: pids.exists() and pids.read_text().endswith(" "), what="the import")
    child, left = map(int, pids.read_text().split())
    try:
        asker.send_signal(sent)
        asker.wait(20)
        wait_until(lambda: not runs(child), what="the child's end")
        if and_its_own:
            wait_until(lambda: not runs(left), what="the end of what the child started")
    finally:
        asker.kill()
        asker.wait()
        for pid in (child, left):
            if runs(pid):
                os.kill(pid, signal.SIGKILL)


def test_a_child_without_an_answer_is_told_by_its_last_words(tmp_path: Path) -> None:
    fault = fault_of(scenario(tmp_path, "import os\nos.write(2, b'no more\\n')\nos._exit(7)\n"))
    assert fault.message == "the process that runs the scenario ended with code 7 and no answer"
    assert fault.hint == "no more"


def test_the_hint_after_a_failed_import_can_be_pasted(tmp_path: Path) -> None:
    path = scenario(tmp_path, "import nowhere\n", "it's a shop.py")
    fault = fault_of(path)
    assert fault.message.startswith("the scenario cannot be imported: ModuleNotFoundError: No module named 'nowhere'")
    assert fault.where == f"{path}:1"
    assert fault.hint is not None
    assert shlex.split(fault.hint.partition(": ")[2]) == ["python", str(path)]


def test_long_messages_are_one_line_and_cut(tmp_path: Path) -> None:
    message = fault_of(scenario(tmp_path, "raise ValueError('first\\nsecond ' + 'x' * 5000)\n")).message
    assert "ValueError: first second xxx" in message
    assert message.endswith("x…")
    assert len(message.removeprefix("the scenario cannot be imported: ")) == 500
    path = scenario(tmp_path, USER + "def verify(target):\n    assert False, 'a\\n' + chr(0xdc80) + 'b' * 5000\n")
    result = verify_target([path], "http://127.0.0.1:9")
    assert result["message"].startswith("a ?bbb")
    assert len(result["message"]) == 500


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ("class Idle(User):\n    pass\n", 2, "Idle has no task"),
        ("class Idle(User):\n    tasks = []\n", 2, "Idle has no task"),
        ("class Idle(User):\n    @task(0)\n    def buy(self): pass\n", 2, "Idle has no task"),
        ("\nclass Odd(User):\n    tasks = ['buy']\n", 3, "tasks of Odd holds 'buy', which is no task"),
        ("class Odd(User):\n    tasks = {3: 2}\n", 2, "tasks of Odd holds 3, which is no task"),
        ("class A(User):\n    @task\n    def buy(self): pass\nB = A\n", 2, "two user classes are named A"),
    ],
)
def test_user_classes_that_cannot_run_are_refused(tmp_path: Path, text: str, line: int, message: str) -> None:
    path = scenario(tmp_path, "from locust import User, task\n" + text)
    fault = fault_of(path)
    assert (fault.message, fault.where) == (message, f"{path}:{line}")
    assert fault.hint


@pytest.mark.parametrize(
    "text",
    [
        "class Base(User):\n    abstract = True\n",
        "class Own(User):\n    def run(self): pass\n",
        "class Later(User):\n    def on_start(self): self.tasks = [print]\n",
        "class Browse(TaskSet):\n    @task\n    def look(self): pass\nclass Sets(User):\n    tasks = [Browse]\n",
        "class Chain(User):\n    @task\n    class Steps(SequentialTaskSet):\n        tasks = [print]\n",
        "class Weighted(User):\n    tasks = {print: 3}\n",
    ],
)
def test_user_classes_that_can_run_are_not_refused(tmp_path: Path, text: str) -> None:
    path = scenario(tmp_path, "from locust import SequentialTaskSet, TaskSet, User, task\n" + text)
    described = describe_scenario(path)
    assert len(described.user_classes) == (0 if "abstract" in text else 1)

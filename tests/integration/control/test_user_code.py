"""Children that run user code return their result whatever the scenario leaves behind, and leave no process."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from harness.control import user_code
from harness.control.hooks import HookRun, Verification, verify_target
from harness.engine.fork_server import ForkServer
from harness.errors import HarnessError, ManyProblemsError
from harness.messages import Message, Option, message
from harness.plan.description import ScenarioDescription
from tests.support.children import die_with_the_tests, killed_at_end, wait_until
from tests.support.fork_servers import fork_server
from tests.support.small_disk import fill, small_disk
from tests.support.targets import runs

USER = "from locust import User, task\nclass Shopper(User):\n    @task\n    def buy(self): pass\n"
LEAVES_A_PROCESS = """
import os, pathlib, subprocess
left = subprocess.check_output(["sh", "-c", "setsid sleep 100 >&2 & echo $!"], text=True)
pathlib.Path(__file__).with_name("pids").write_text(f"{os.getpid()} {left.strip()} ")
"""


def describe(scenario: Path | str, **options: Any) -> ScenarioDescription:
    return user_code.describe_scenario(scenario, fork_server=fork_server(), **options)


def verify(files: list[Path], url: str, **options: Any) -> Verification:
    return verify_target(HookRun(files, 60.0, fork_server()), url, **options)


def scenario(folder: Path, text: str, name: str = "shop.py") -> Path:
    path = folder / name
    path.write_text(text)
    return path


def error_of(path: Path, arguments: Sequence[str] = ()) -> HarnessError:
    with pytest.raises(HarnessError) as raised:
        describe(path, arguments=arguments)
    return raised.value


def have_ended(folder: Path) -> bool:
    return not any(runs(int(pid)) for pid in (folder / "pids").read_text().split())


def test_a_path_that_is_not_utf8_is_named(tmp_path: Path) -> None:
    error = error_of(scenario(tmp_path, USER, "\udcff.py"))
    assert (error.code, error.where) == ("text-not-utf8", "name")


def test_a_process_left_behind_on_import_delays_no_result(tmp_path: Path) -> None:
    described = describe(scenario(tmp_path, USER + LEAVES_A_PROCESS))
    assert [user.name for user in described.user_classes] == ["Shopper"]
    wait_until(lambda: have_ended(tmp_path), what="the end of what the scenario started")


def test_a_process_left_behind_by_verify_delays_no_result(tmp_path: Path) -> None:
    indented = LEAVES_A_PROCESS.replace("\n", "\n    ")
    path = scenario(tmp_path, f"{USER}def verify(target):{indented}\n    assert False, 'one was sold twice'\n")
    result = verify([path], "http://127.0.0.1:9")
    assert (result.status, str(result.reason)) == ("fail", "one was sold twice")
    wait_until(lambda: have_ended(tmp_path), what="the end of what verify started")


def test_no_argument_and_no_variable_shows_what_may_be_a_secret(tmp_path: Path) -> None:
    looks = (
        'import os, sys\ndef verify(target):\n    assert "s3cret" not in str([sys.orig_argv, *os.environ.values()])\n'
    )
    result = verify([scenario(tmp_path, USER + looks)], "http://me:s3cret@127.0.0.1:9")
    assert (result.status, result.reason) == ("pass", None)
    asked = 'import sys\nassert "Buyer" not in str(sys.orig_argv)\nclass Buyer(Shopper): pass\n'
    described = describe(scenario(tmp_path, USER + asked), arguments=["Buyer"])
    assert [user.name for user in described.user_classes] == ["Buyer"]


@pytest.mark.slow
def test_a_scenario_that_never_ends_is_killed_with_all_it_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(user_code, "DESCRIBE_TIMEOUT_S", 8.0)
    error = error_of(scenario(tmp_path, USER + LEAVES_A_PROCESS + "import time; time.sleep(100)\n"))
    assert (error.code, error.params["timeout_s"]) == ("scenario-timeout", 8.0)
    wait_until(lambda: have_ended(tmp_path), what="the end of what the scenario started")


def test_verify_ends_when_the_user_does_not_wait_for_it(tmp_path: Path) -> None:
    path = scenario(tmp_path, USER + "import time\ndef verify(target):\n    time.sleep(100)\n")
    result = verify([path], "http://127.0.0.1:9", interrupted=lambda: True)
    assert result.status == "interrupted"
    assert result.duration_s < 100


def test_a_verify_that_raises_is_an_error_with_its_line(tmp_path: Path) -> None:
    path = scenario(tmp_path, USER + "def verify(target):\n    target.get('/ledger')\n")
    result = verify([path], "http://127.0.0.1:9")
    assert result.status == "error"
    assert result.reason is not None
    assert (result.reason.code, result.reason.params["location"]) == ("verify-raised", f"{path}:6")
    assert str(result.reason.params["error"]).startswith("ConnectionError: ")


def test_a_verify_that_ends_its_process_is_reported_with_its_last_lines(tmp_path: Path) -> None:
    dies = "def verify(target):\n    import os\n    os.write(2, b'no more\\n')\n    os._exit(7)\n"
    result = verify([scenario(tmp_path, USER + dies)], "http://127.0.0.1:9")
    assert result.status == "error"
    assert result.reason is not None
    assert (result.reason.code, result.reason.params["last_lines"]) == ("scenario-process-ended", "no more")


@pytest.mark.slow
@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGKILL])
def test_children_and_what_they_have_started_end_with_the_harness(tmp_path: Path, sent: signal.Signals) -> None:
    path = scenario(tmp_path, USER + LEAVES_A_PROCESS + "import time; time.sleep(100)\n")
    asks = f"from pathlib import Path\nfrom harness.control.user_code import *\ndescribe_scenario(Path({str(path)!r}))"
    asker = subprocess.Popen([sys.executable, "-c", asks], stderr=subprocess.DEVNULL, preexec_fn=die_with_the_tests)
    pids = tmp_path / "pids"
    with killed_at_end(asker):
        wait_until(lambda: pids.exists() and pids.read_text().endswith(" "), what="the import")
        child, left = map(int, pids.read_text().split())
        try:
            asker.send_signal(sent)
            asker.wait(20)
            wait_until(lambda: have_ended(tmp_path), seconds=20, what="the end of the child and of what it started")
        finally:
            for pid in (child, left):
                if runs(pid):
                    os.kill(pid, signal.SIGKILL)


def test_a_child_without_a_result_is_reported_with_its_last_lines(tmp_path: Path) -> None:
    error = error_of(scenario(tmp_path, "import os\nos.write(2, b'no more\\n')\nos._exit(7)\n"))
    assert error.code == "scenario-process-ended"
    assert error.params == {"code_of_process": 7, "last_lines": "no more"}


def test_the_hint_after_a_failed_import_can_be_pasted(tmp_path: Path) -> None:
    path = scenario(tmp_path, "import nowhere\n", "it's a shop.py")
    error = error_of(path)
    assert (error.code, error.where) == ("scenario-import-failed", f"{path}:1")
    assert error.params["error"] == "ModuleNotFoundError: No module named 'nowhere'"
    assert error.hint is not None
    assert shlex.split(error.hint.split("`")[1]) == ["python", str(path)]


@pytest.mark.parametrize("weight", ["tasks = {print: 10**9}", "@task(10**9)\n    def browse(self): pass"])
def test_a_weight_that_fills_the_memory_is_refused(tmp_path: Path, weight: str) -> None:
    path = scenario(tmp_path, f"from locust import User, task\nclass Visitor(User):\n    {weight}\n")
    error = error_of(path)
    assert (error.code, error.where) == ("scenario-import-failed", f"{path}:2")


CANNOT_RUN = """from locust import SequentialTaskSet, TaskSet, User, task
class Idle(User):
    pass
class Emptied(User):
    tasks = []
class Unweighted(User):
    @task(0)
    def buy(self): pass
class Odd(User):
    tasks = ['buy', ['unhashable']]
class Counted(User):
    tasks = {3: 2}
class Outer(TaskSet):
    @task
    class Hollow(SequentialTaskSet):
        pass
class Nested(User):
    tasks = [Outer]
    @task
    class Inner(TaskSet):
        pass
class A(User):
    @task
    def buy(self): pass
B = A
"""


def test_all_unusable_user_classes_are_reported_with_their_lines(tmp_path: Path) -> None:
    path = scenario(tmp_path, CANNOT_RUN)
    error = error_of(path)
    assert isinstance(error, ManyProblemsError)
    assert [(one.code, one.params["name"], one.params.get("value"), one.where) for one in error.problems] == [
        ("user-class-named-twice", "A", None, f"{path}:22"),
        ("not-a-task", "Counted", "3", f"{path}:11"),
        ("user-class-without-task", "Emptied", None, f"{path}:4"),
        ("user-class-without-task", "Idle", None, f"{path}:2"),
        ("task-set-without-task", "Hollow", None, f"{path}:14"),
        ("task-set-without-task", "Inner", None, f"{path}:19"),
        ("not-a-task", "Odd", "'buy'", f"{path}:9"),
        ("not-a-task", "Odd", "['unhashable']", f"{path}:9"),
        ("user-class-without-task", "Unweighted", None, f"{path}:6"),
    ]
    assert all(one.hint for one in error.problems)


def test_lists_longer_than_anyone_writes_are_not_handed_over(tmp_path: Path) -> None:
    long = "from harness import gate\ngates = [gate('p95 < 1ms')] * 1001\n"
    error = error_of(scenario(tmp_path, USER + long))
    assert (error.code, error.params["count"]) == ("too-many-tables", 1001)
    assert str(error.where).endswith("shop.py:6: gates")


def test_a_single_problem_is_reported_by_itself(tmp_path: Path) -> None:
    path = scenario(tmp_path, "from locust import User, task\nclass Idle(User):\n    pass\n")
    error = error_of(path)
    assert (error.code, error.params["name"], error.where) == ("user-class-without-task", "Idle", f"{path}:2")
    text = "from locust import User\nclass Left(User):\n    weight = 0\n    tasks = [print]\n"
    error = error_of(scenario(tmp_path, text))
    assert (error.code, error.params["names"]) == ("user-classes-without-weight", ["Left"])
    assert error.where == f"{path}:2"


CAN_RUN = """from locust import MarkovTaskSet, SequentialTaskSet, TaskSet, User, events, task, transition
class Base(User):
    abstract = True
class Own(User):
    def run(self): pass
class Later(User):
    def on_start(self): self.tasks = [print]
class Browse(TaskSet):
    @task
    def look(self): pass
class Sets(User):
    tasks = [Browse]
class Chain(User):
    @task
    class Steps(SequentialTaskSet):
        tasks = [print]
class Weighted(User):
    tasks = {print: 3}
class Turns(MarkovTaskSet):
    @transition("again")
    def again(self): pass
class Markov(User):
    tasks = [Turns]
class Choosy(TaskSet):
    def get_next_task(self): return print
class Chooses(User):
    tasks = [Choosy]
"""


def test_usable_user_classes_are_accepted(tmp_path: Path) -> None:
    described = describe(scenario(tmp_path, CAN_RUN))
    names = [user.name for user in described.user_classes]
    assert names == ["Chain", "Chooses", "Later", "Markov", "Own", "Sets", "Weighted"]


def test_a_listener_may_give_a_class_its_tasks(tmp_path: Path) -> None:
    given = """from locust import User, events
class Given(User):
    pass
@events.init.add_listener
def _(**_):
    Given.tasks = [print]
"""
    assert [user.name for user in describe(scenario(tmp_path, given)).user_classes] == ["Given"]


TAGGED = """from locust import User, events, tag, task
@events.init_command_line_parser.add_listener
def _(parser):
    parser.add_argument("--size", type=int, default=3, help="how many")
class Buyer(User):
    @tag("buy")
    @task(3)
    def pay(self): pass
    @task
    def look(self): pass
class Looker(User):
    @task
    def look(self): pass
"""


def test_tags_and_names_leave_the_user_classes_that_they_say(tmp_path: Path) -> None:
    path = scenario(tmp_path, TAGGED)
    (buyer,) = describe(path, tags=["buy"]).user_classes
    assert (buyer.name, buyer.tasks) == ("Buyer", {"pay": 1.0})
    (looker,) = describe(path, arguments=["--size", "5", "Looker"]).user_classes
    assert looker.name == "Looker"
    with pytest.raises(HarnessError) as nothing:
        describe(path, tags=["sell"], exclude_tags=["buy"])
    assert nothing.value.code == "tags-leave-no-task"
    assert nothing.value.params["tags"] == [Option("tags", "sell"), Option("exclude_tags", "buy")]


@pytest.mark.parametrize(
    ("arguments", "code", "named"),
    [
        (["--size", "x"], "argument-rejected", "--size (how many)"),
        (["--sise=4"], "argument-rejected", "--size (how many)"),
        (["--users", "5"], "locust-option", "Give --users before"),
    ],
)
def test_wrong_arguments_are_reported_with_what_would_be_right(
    tmp_path: Path, arguments: list[str], code: str, named: str
) -> None:
    error = error_of(scenario(tmp_path, TAGGED), arguments)
    problem = error.params["problem"]
    assert isinstance(problem, Message)
    assert (error.code, error.where, problem.code) == ("locust-arguments", f"-- {' '.join(arguments)}", code)
    assert arguments[0] in str(problem)
    assert named in str(error.hint)


def test_an_unknown_user_class_is_reported_with_the_nearest(tmp_path: Path) -> None:
    error = error_of(scenario(tmp_path, TAGGED), ["Byer"])
    assert (error.code, error.params["unknown"]) == ("user-class-unknown", ["Byer"])
    known = error.params["known"]
    assert isinstance(known, Message)
    assert known.params == {"close": "Buyer", "known": ["Buyer", "Looker"]}


def test_several_files_are_one_scenario_and_state_each_thing_once(tmp_path: Path) -> None:
    importing = "from locust import User, task\nfrom shop import Shopper\nfrom harness import steady\n"
    shop, other = scenario(tmp_path, USER), scenario(tmp_path, f"{importing}phases = [steady()]\n", "more.py")
    described = describe(f"{shop},{other}")
    assert (described.name, described.files, len(described.user_classes)) == ("shop+more", (str(shop), str(other)), 1)
    assert len(described.phases) == 1
    scenario(tmp_path, USER + "from harness import steady\nphases = [steady()]\n")
    error = error_of(tmp_path)
    assert (error.code, error.params["name"], error.params["count"]) == ("scenario-stated-twice", "phases", 2)


def test_what_a_scenario_logs_before_it_exits_is_quoted(tmp_path: Path) -> None:
    error = error_of(scenario(tmp_path, "import logging, sys\nlogging.error('no boto3')\nsys.exit(1)\n"))
    assert error.code == "scenario-import-failed"
    assert error.params["logged"] == message("scenario-logged", line="no boto3")
    assert error_of(scenario(tmp_path, "import nowhere\n", "other.py")).params["logged"] == ""


def test_tests_for_pytest_are_users_where_there_are_no_others(tmp_path: Path) -> None:
    path = scenario(tmp_path, "def test_front(fastsession):\n    fastsession.get('/')\n", "test_shop.py")
    assert [user.name for user in describe(path).user_classes] == ["test_front"]


def test_a_function_called_verify_of_an_ordinary_locustfile_is_its_own(tmp_path: Path) -> None:
    # Of different length: of two texts as long within one second Python takes the first one's bytecode for both.
    assert not describe(scenario(tmp_path, USER + "def verify(response): pass\n")).has_verify
    assert describe(scenario(tmp_path, USER + "def verify(target): pass\n")).has_verify


def test_a_scenario_whose_import_lasts_can_be_interrupted(tmp_path: Path) -> None:
    path = scenario(tmp_path, f"import time\n{LEAVES_A_PROCESS}\ntime.sleep(50)\n")
    with pytest.raises(KeyboardInterrupt):
        describe(path, interrupted=(tmp_path / "pids").exists)
    wait_until(lambda: have_ended(tmp_path), what="the end of what the scenario started")


def test_a_test_that_runs_a_scenario_is_not_a_user(tmp_path: Path) -> None:
    error = error_of(scenario(tmp_path, "def test_sale(load_test):\n    load_test('shop.py')\n"))
    assert error.code == "scenario-import-failed"
    assert "test_sale" in str(error.params["error"])


@pytest.mark.parametrize("base", ["locust.User", "locust.FastHttpUser", "harness.HttpUser"])
def test_a_class_without_tasks_is_left_out_where_another_can_run(tmp_path: Path, base: str) -> None:
    path = scenario(tmp_path, f"import harness, locust\nclass Base({base}):\n    pass\n" + USER)
    described = describe(path)
    assert [user.name for user in described.user_classes] == ["Shopper"]
    assert described.left_out == {"Base": f"{path}:2"}
    assert describe(path, arguments=["Shopper"]).left_out == {}
    error = error_of(path, ["Base"])
    assert (error.code, error.params["name"]) == ("user-class-without-task", "Base")


def test_classes_that_locust_cannot_start_are_reported_with_their_lines(tmp_path: Path) -> None:
    odd = [
        "weight = -1",
        "weight = float('inf')",
        "weight = 10**400",
        "fixed_count = 10**30",
        "fixed_count = -2",
        "fixed_count = float('nan')",
        "host = 5",
        "wait_time = 5",
    ]
    classes = (f"class Odd{number}(User):\n    {one}\n    tasks = [print]\n" for number, one in enumerate(odd))
    path = scenario(tmp_path, USER + "".join(classes))
    error = error_of(path)
    assert isinstance(error, ManyProblemsError)
    assert [(one.code, one.params["name"], one.params["attribute"], one.where) for one in error.problems] == [
        ("user-class-attribute-invalid", f"Odd{number}", one.split()[0], f"{path}:{6 + 3 * number}")
        for number, one in enumerate(odd)
    ]


def test_locusts_web_ui_is_imported_when_a_scenario_uses_it(tmp_path: Path) -> None:
    uses = """
import sys, locust
from locust.env import Environment
assert "flask" not in sys.modules
assert locust.web.__name__ == "locust.web"
ui = Environment().create_web_ui("127.0.0.1", 0, delayed_start=True)
assert isinstance(ui, locust.web.WebUI) and locust.web is sys.modules["locust.web"]
assert not hasattr(locust, "webs")
"""
    assert [user.name for user in describe(scenario(tmp_path, uses + USER)).user_classes] == ["Shopper"]


LEAVES_A_PROGRAM = """
import pathlib, subprocess
left = subprocess.Popen(["sleep", "100"], start_new_session=True)
pathlib.Path(__file__).with_name("pids").write_text(f"{left.pid} ")
"""
LEAVES_A_CHILD = """
import multiprocessing, os, pathlib, time
child = multiprocessing.get_context("fork").Process(target=time.sleep, args=[100])
child.start()
pathlib.Path(__file__).with_name("pids").write_text(f"{child.pid} ")
"""
LEAVES_A_COPY = """
import os, pathlib
pid = os.fork()
if pid:
    pathlib.Path(__file__).with_name("pids").write_text(f"{os.getpid()} ")
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("leaves", "lives"),
    [(LEAVES_A_PROCESS, True), (LEAVES_A_PROGRAM, True), (LEAVES_A_CHILD, True), (LEAVES_A_COPY, False)],
)
def test_what_setup_leaves_running_lives_until_its_server_is_closed(tmp_path: Path, leaves: str, lives: bool) -> None:
    indented = leaves.replace("\n", "\n    ")
    path = scenario(tmp_path, f"{USER}def setup(target):{indented}\n    return 5\n")
    with ForkServer() as server:
        result = HookRun([path], 60.0, server, keeps=True)("setup", "http://127.0.0.1:9", [])
        assert (result["status"], result["data"], result["duration_s"] < 30) == ("pass", 5, True)
        left = int((tmp_path / "pids").read_text().split()[-1])
        if lives:
            assert server.has_strays()
            assert runs(left)
        else:  # a copy of the hook's process ends with it
            wait_until(lambda: not server.has_strays(), what="the end of the copy")
    wait_until(lambda: have_ended(tmp_path), what="the end of what setup started")


def test_a_full_disk_for_temporary_files_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "scenario.py").write_text(USER)
    with small_disk(tmp_path / "small", "64k") as small:
        monkeypatch.setattr(tempfile, "tempdir", str(small))
        fill(small)
        with pytest.raises(HarnessError) as raised:
            describe(tmp_path / "scenario.py")
    assert (raised.value.code, raised.value.exit_code) == ("no-space-for-temporary-files", 4)
    assert raised.value.params["folder"] == str(small)

"""The plugin where no load begins: which tests are performance tests, and how wrong input is reported."""

from __future__ import annotations

from pathlib import Path

import pytest
from filelock import FileLock, Timeout

from harness.errors import HarnessError
from harness.pytest_plugin import _own_turn

pytest_plugins = ["pytester"]

TESTS = """
import pytest

@pytest.fixture(scope="module")
def sale(load_test):
    return load_test("scenarios/flash_sale.py,more.py", profile="profiles/nothing.toml")

def test_sale(sale):
    assert sale.verdict.passed

def test_directly(load_test):
    load_test("nothing.py")

@pytest.mark.performance
def test_marked(): pass

def test_other(): pass
"""


@pytest.fixture
def project(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    # Where the lock of all loads lies: other sessions of this machine are not waited for.
    runtime = pytester.path / "runtime"
    runtime.mkdir(mode=0o700)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(runtime))
    pytester.makepyfile(TESTS)
    return pytester


def test_tests_with_a_load_are_performance_tests(project: pytest.Pytester) -> None:
    others = project.inline_run("--strict-markers", "-m", "not performance")
    assert [report.nodeid.partition("::")[2] for report in others.getreports("pytest_runtest_logreport")][:3] == (
        ["test_other"] * 3
    )
    others.assertoutcome(passed=1)


def test_wrong_input_is_one_message(project: pytest.Pytester) -> None:
    scenario = project.path / "scenarios" / "flash_sale.py"
    scenario.parent.mkdir()
    scenario.touch()
    result = project.runpytest_inprocess("-m", "performance")
    result.assert_outcomes(passed=1, failed=1, errors=1)
    result.stdout.fnmatch_lines(["profiles/nothing.toml: *"])
    result.stdout.fnmatch_lines(["nothing.py: *", f"*{project.path}/scenarios: *flash_sale.py*"])
    result.stdout.no_fnmatch_line("*harness/*.py:*")
    assert not (project.path / "reports").exists()


SCENARIO = """
from locust import task
from harness import HttpUser

target = "shop"

class Someone(HttpUser):
    @task
    def look(self):
        self.client.get("/products")
"""
TYPO = """
def test_typo(load_test):
    load_test("look.py", {options})
"""


@pytest.mark.slow
def test_wrong_input_waits_for_no_other_load(project: pytest.Pytester) -> None:
    project.makepyfile(look=SCENARIO, test_typo=TYPO.format(options="set={'phase.steady.hodl': '3s'}"))
    lock = project.path / "runtime" / "harness" / "load.lock"
    lock.parent.mkdir()
    with FileLock(lock):  # another load is running
        result = project.runpytest_inprocess("test_typo.py")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["set?'phase.steady.hodl'?: *hodl*"])
    result.stdout.no_fnmatch_line("*waiting*")


@pytest.mark.parametrize("instead", ["link", "file"])
def test_what_is_not_a_lock_file_is_reported_in_one_message(
    instead: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tmp_path.chmod(0o700)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    folder, precious = tmp_path / "harness", tmp_path / "precious"
    precious.write_text("kept")
    if instead == "link":
        folder.mkdir(mode=0o700)
        (folder / "load.lock").symlink_to(precious)
    else:
        folder.touch()
    with pytest.raises(HarnessError) as refused, _own_turn():
        pass
    assert refused.value.code == "load-lock-unusable"
    assert str(refused.value.where).startswith(f"{folder}")
    assert precious.read_text() == "kept"


def test_the_temporary_folder_does_not_matter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tmp_path.chmod(0o700)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "other"))
    with _own_turn(), pytest.raises(Timeout):
        FileLock(tmp_path / "harness" / "load.lock").acquire(blocking=False)

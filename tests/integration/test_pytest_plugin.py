"""The plugin where no load begins: which tests are performance tests, and what wrong input is told as."""

from __future__ import annotations

import pytest

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
    monkeypatch.setattr("tempfile.tempdir", str(pytester.path))
    pytester.makepyfile(TESTS)
    return pytester


def test_tests_with_a_load_are_performance_tests(project: pytest.Pytester) -> None:
    others = project.inline_run("--strict-markers", "-m", "not performance")
    assert [report.nodeid.partition("::")[2] for report in others.getreports("pytest_runtest_logreport")][:3] == (
        ["test_other"] * 3
    )
    others.assertoutcome(passed=1)


def test_wrong_input_is_one_message(project: pytest.Pytester) -> None:
    result = project.runpytest_inprocess("-m", "performance")
    result.assert_outcomes(passed=1, failed=1, errors=1)
    result.stdout.fnmatch_lines(["profiles/nothing.toml: there is no such profile file"])
    result.stdout.fnmatch_lines(["nothing.py: there is no such scenario"])
    result.stdout.no_fnmatch_line("*harness/*.py:*")
    assert not (project.path / "reports").exists()

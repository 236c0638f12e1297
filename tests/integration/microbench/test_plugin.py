"""What the plugin notes of a session: which benchmarks there are, what became of each test, every round."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from harness.microbench.request import Request
from harness.record.run_folder import read_model
from harness.record.suite import SuiteReport
from harness.recording.streams.rounds import read_benchmarks

pytest_plugins = ["pytester"]
pytestmark = pytest.mark.filterwarnings("ignore:Not saving anything")

SUITE = """
import pytest

def test_fast(benchmark): assert benchmark(sum, [1, 2]) == 3

@pytest.mark.parametrize("n", [1, 2])
def test_each(benchmark, n): benchmark(range, n)

def test_wrong(benchmark): assert benchmark(sum, [1, 2]) == 4

@pytest.mark.skip(reason="later")
def test_skipped(benchmark): pass

def test_plain(): raise AssertionError
"""


def session(
    pytester: pytest.Pytester,
    *arguments: str,
    gated: tuple[str, ...] = (),
    strict: bool = True,
    paths: tuple[str, ...] = (),
) -> tuple[int, SuiteReport]:
    """Run the suite in this process; pytest's exit status, and what the plugin wrote."""
    folder = Path(pytester.path)
    request = Request(
        report=str(folder / "suite.json"),
        rounds=str(folder / "rounds.parquet"),
        gated=gated,
        strict=strict,
        paths=paths,
        secret_names=("tenant",),
    )
    ours = ["-p", "harness.microbench.plugin", f"--harness-bench={request.write(folder / 'request.json')}"]
    options = [
        "--benchmark-only",
        "--benchmark-enable",
        "--benchmark-quiet",
        "--benchmark-max-time=0.001",
        "--benchmark-json=b.json",
    ]
    with pytest.MonkeyPatch.context() as environment:
        for name in [name for name in os.environ if name.startswith("PYTEST_XDIST_")]:
            environment.delenv(name)  # as harness bench has it
        ended = pytester.runpytest_inprocess(*ours, *options, "-p", "no:xdist", *arguments)
    return int(ended.ret), read_model(folder / "suite.json", SuiteReport)


def test_ctrl_c_after_the_last_benchmark_loses_no_round(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(test_x="def test_fast(benchmark): benchmark(sum, [1, 2])\n")
    pytester.makeconftest("import signal\ndef pytest_sessionfinish(): signal.raise_signal(signal.SIGINT)\n")
    status, report = session(pytester)
    assert (status, report.finished) == (0, True)
    assert (Path(pytester.path) / "rounds.parquet").exists()


def test_it_reports_every_benchmark_and_keeps_every_round(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(test_x=SUITE)
    status, report = session(pytester, gated=("test_fast", "test_each[2]", "test_x.py::test_*"))
    assert status == 1
    assert report.finished
    assert [test.rpartition("::")[2] for test in report.benchmarks] == [
        "test_fast",
        "test_each[1]",
        "test_each[2]",
        "test_wrong",
        "test_skipped",
    ]
    assert [(problem.test, problem.message) for problem in report.failed] == [
        ("test_x.py::test_wrong", "assert 3 == 4 (test_x.py:8)")
    ]
    assert [(problem.test, problem.message) for problem in report.skipped] == [("test_x.py::test_skipped", "later")]
    assert set(report.waited_s) >= {"test_x.py::test_fast"}
    folder = Path(pytester.path)
    measured = read_benchmarks(folder / "b.json", folder / "rounds.parquet", report)
    assert [one.name for one in measured] == ["test_fast", "test_each[1]", "test_each[2]", "test_wrong"]
    assert all(len(one.rounds) >= 5 and one.rounds.min() > 0 for one in measured)
    assert '"data"' not in (folder / "b.json").read_text()


def test_it_reports_which_tests_pytest_reached(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(test_x="def test_a(benchmark): 1 / 0\ndef test_b(benchmark): benchmark(range, 1)\n")
    status, report = session(pytester, "-x")
    assert (status, report.finished, len(report.benchmarks)) == (1, True, 2)
    assert list(report.waited_s) == ["test_x.py::test_a"]


def test_a_gate_that_names_no_benchmark_ends_it_before_anything_runs(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(test_x=SUITE)
    status, report = session(pytester, gated=("test_fast", "test_fst", "test_plain"))
    assert status == pytest.ExitCode.USAGE_ERROR
    assert report.unknown == ["test_fst", "test_plain"]
    assert not (Path(pytester.path) / "rounds.parquet").exists()


def test_a_gate_of_the_project_may_be_of_tests_that_this_call_does_not_choose(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(test_x=SUITE)
    status, report = session(pytester, "test_x.py::test_fast", gated=("test_fast", "test_wrong"), strict=False)
    assert (status, report.unknown, report.elsewhere) == (0, [], ["test_wrong"])
    for whole in ((), ("test_x.py",)):
        status, report = session(pytester, *whole, gated=("test_fst",), strict=False, paths=("test_x.py",))
        assert (status, report.unknown) == (pytest.ExitCode.USAGE_ERROR, ["test_fst"])


@pytest.mark.slow
@pytest.mark.parametrize(
    ("whole", "paths"),
    [("./micro", ("micro",)), ("{here}/micro", ("micro/",)), (".", ("micro",)), (".", ())],
)
def test_the_whole_suite_is_known_however_its_path_is_written(
    pytester: pytest.Pytester, whole: str, paths: tuple[str, ...]
) -> None:
    (pytester.mkdir("micro") / "test_y.py").write_text("def test_y(benchmark): benchmark(range, 1)\n")
    given = whole.format(here=pytester.path)
    status, report = session(pytester, given, gated=("test_z",), strict=False, paths=paths)
    assert (status, report.unknown) == (pytest.ExitCode.USAGE_ERROR, ["test_z"])
    status, report = session(pytester, "micro/test_y.py", gated=("test_z",), strict=False, paths=paths)
    assert (status, report.elsewhere) == (0, ["test_z"])


def test_the_paths_hold_where_pytest_finds_no_test_among_its_arguments(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(test_x=SUITE)
    (pytester.mkdir("micro") / "test_y.py").write_text("def test_y(benchmark): benchmark(range, 1)\n")
    status, report = session(pytester, "--deselect", "test_x.py::test_fast", paths=("micro",))
    assert (status, report.benchmarks) == (0, ["micro/test_y.py::test_y"])
    status, report = session(pytester, "test_x.py::test_fast", paths=("micro",))
    assert (status, report.benchmarks) == (0, ["test_x.py::test_fast"])


def test_what_the_user_saves_is_unchanged(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(test_x="def test_a(benchmark): benchmark(range, 1)\n")
    status, report = session(pytester, "--benchmark-save=mine", "--benchmark-save-data")
    assert status == 0
    folder = Path(pytester.path)
    measured = read_benchmarks(folder / "b.json", folder / "rounds.parquet", report)
    (saved,) = folder.glob(".benchmarks/*/0001_mine.json")
    data = json.loads(saved.read_text())["benchmarks"][0]["stats"]["data"]
    assert [len(one.rounds) for one in measured] == [len(data)]


def test_pytests_report_of_a_test_is_recorded_without_secrets(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        test_x="""
        import pytest
        def test_fails(benchmark): raise ValueError("no such user: password=p4ss")
        @pytest.mark.skip(reason="tenant=acme is away")
        def test_skipped(benchmark): pass
        def test_notes(benchmark):
            benchmark.extra_info.update(size=3, db={"tenant": "acme", "urls": ["https://me:p4ss@db/"]}, of="x")
            benchmark(range, 1)
        """,
    )
    _, report = session(pytester)
    noted = json.loads((Path(pytester.path) / "b.json").read_text())["benchmarks"][0]["extra_info"]
    assert noted == {"size": 3, "db": {"tenant": "***", "urls": ["https://***@db/"]}, "of": "x"}
    assert report.failed[0].message == "ValueError: no such user: password=*** (test_x.py:2)"
    assert report.skipped[0].message == "tenant=*** is away"
    pytester.makepyfile(test_x='raise ValueError("at https://me:p4ss@db/")')
    _, report = session(pytester)
    assert report.collect_errors[0].message == "ValueError: at https://***@db/"


def test_what_is_deselected_is_known_by_name(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(test_x=SUITE)
    status, report = session(pytester, "-k", "fast", gated=("test_wrong",))
    assert (status, report.unknown) == (0, [])
    assert report.benchmarks == ["test_x.py::test_fast"]
    assert "test_x.py::test_wrong" in report.deselected


def test_a_file_that_cannot_be_imported_is_reported_with_its_error(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(test_x="import nowhere\n")
    status, report = session(pytester, gated=("test_fast",))
    assert status == pytest.ExitCode.INTERRUPTED
    assert [(problem.test, problem.message) for problem in report.collect_errors] == [
        ("test_x.py", "ModuleNotFoundError: No module named 'nowhere'")
    ]
    assert report.unknown == []  # what was not read may hold it


@pytest.mark.slow
def test_where_pytest_is_stopped_the_test_that_ran_is_known(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        test_x="""
        def test_a(benchmark): benchmark(range, 1)
        import pytest
        def test_hangs(benchmark): pytest.exit("enough")
        """,
    )
    _, report = session(pytester, "-k", "test_a")
    assert report.running is None
    _, report = session(pytester)
    assert report.running == "test_x.py::test_hangs"


def test_a_benchmark_that_is_expected_to_fail_is_skipped_for_its_reason(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        test_x="""
        import pytest
        @pytest.mark.xfail(reason="not yet")
        def test_marked(benchmark): benchmark(int, "x")
        @pytest.mark.xfail(run=False, reason="hangs")
        def test_not_run(benchmark): benchmark(range, 1)
        def test_while_running(benchmark): pytest.xfail("no")
        """,
    )
    status, report = session(pytester)
    assert (status, report.failed) == (0, [])
    reasons = {problem.test.rpartition("::")[2]: problem.message for problem in report.skipped}
    assert reasons == {
        "test_marked": "expected to fail: not yet",
        "test_not_run": "expected to fail: [NOTRUN] hangs",
        "test_while_running": "expected to fail: no",
    }

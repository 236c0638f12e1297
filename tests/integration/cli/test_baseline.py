"""``harness baseline`` as its user calls it: what it says to people, to programs, and its exit code."""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from harness.control.finalize import judged, write_results
from harness.messages import Option
from harness.record.gate_result import GateResult
from harness.record.run_folder import RunFolder, read_model, write_json, write_text
from harness.record.summary import Summary, Verdict
from harness.store import open_store
from tests.support.baselines import make_entry, make_measurement, make_summary
from tests.support.benches import bench_folder
from tests.support.in_process import Said, harness
from tests.support.plans import steady
from tests.support.recordings import WorkerState, make_environment, record_run

REASON = "p95 < 500ms did not hold"


def baseline(reports: Path, *words: str, store: str = "") -> Said:
    """What ``harness baseline WORDS --out REPORTS`` does."""
    return harness("baseline", *words, "--out", str(reports), store=store)


def made_run(
    reports: Path, number: int, *, verdict: Verdict = "pass", generator_limited: str | None = None
) -> RunFolder:
    """The folder of a finished, judged run: 10 s at 50 users."""
    summary = make_summary(number, verdict=verdict)
    folder = record_run(
        reports,
        run_id=summary.run_id,
        profile=summary.profile,
        phases=[steady(seconds=10, name="held")],
        seed=number,
        environment=make_environment(),
        worker=lambda _: WorkerState(cpu=0.98 if generator_limited else 0.4),
    )
    held = summary.phases[1].model_copy(update={"generator_limited": generator_limited})
    judged = summary.model_copy(update={"phases": [held], "reasons": [REASON]})
    write_text(folder.summary, judged.to_json())
    return folder


@pytest.fixture
def reports(tmp_path: Path) -> Path:
    return tmp_path / "reports"


# ---------------------------------------------------------------------------------------------- set


def test_set_keeps_the_run_and_says_how_gates_use_it(reports: Path) -> None:
    folder = made_run(reports, 1)
    result = baseline(reports, "set", folder.run_id)
    assert (result.exit_code, result.out) == (0, "")
    for shown in (f"{reports}/store.sqlite", "flash_sale", "load", "f1e2d3c4", folder.run_id, "p95 <= baseline + 10%"):
        assert shown in result.err
    with open_store(None, reports) as store:
        kept = store.baseline_for("flash_sale", "load", "f1e2d3c4")
    assert kept is not None
    (p95,) = kept.figures("held", "", "p95")
    assert f"{p95.value * 1.1:.3g}\N{NO-BREAK SPACE}ms" in result.err


def test_set_and_show_of_a_bench(reports: Path) -> None:
    folder = bench_folder(reports, {"micro/test_a.py::test_a": [1e-3, 2e-3, 3e-3]})
    write_json(folder.environment, make_environment().model_dump())
    write_results(folder, judged(folder))
    assert 'bench("test_*").mean <= baseline + 10%' in baseline(reports, "set", "latest").err
    assert "test_a" in baseline(reports, "show").err
    (shown,) = baseline(reports, "show", "--json").json
    (run,) = shown["runs"]
    assert run["verdict"] == "pass"
    assert run["figures"]["benchmarks"]["micro/test_a.py::test_a"]["median"]["value"] == 2e-3


def test_set_again_replaces_and_add_joins(reports: Path) -> None:
    first, second, third = (made_run(reports, number) for number in (1, 2, 3))
    baseline(reports, "set", str(first.path))
    baseline(reports, "set", second.run_id)
    assert baseline(reports, "set", "latest", "--add").exit_code == 0
    (entry,) = baseline(reports, "list", "--json").json
    assert entry["run_ids"] == [third.run_id, second.run_id]


def test_set_up_to_joins_while_there_are_fewer_and_then_leaves_the_baseline_alone(reports: Path) -> None:
    runs = [made_run(reports, number) for number in (1, 2, 3)]
    held = []
    for run in runs:
        assert baseline(reports, "set", run.run_id, "--up-to", "2").exit_code == 0
        (entry,) = baseline(reports, "list", "--json").json
        held.append(entry["run_ids"])
    first, second, _ = (run.run_id for run in runs)
    assert held == [[first], [second, first], [second, first]]
    assert baseline(reports, "set", "latest", "--up-to", "0").exit_code == 2


@pytest.mark.parametrize(
    ("gate", "more", "held"),
    [
        ({"require": "p95 <= baseline + 10%", "observed": 90.0}, {}, True),  # it has no baseline yet
        ({"require": "p95 <= baseline + 10%", "observed": 90.0, "limit": 88.0, "baseline": 80.0}, {}, False),
        ({"require": "p95 < 91ms", "observed": 90.0, "limit": 91.0}, {}, False),
        ({"require": "p95 < 91ms"}, {}, False),  # nothing was seen
        ({"require": "p95 <= baseline", "observed": 90.0, "phase": "held"}, {"generator_limited": "100 % CPU"}, False),
    ],
    ids=["no baseline yet", "too close to it", "too close to a limit", "nothing seen", "generator"],
)
def test_set_up_to_takes_of_inconclusive_runs_those_that_only_lack_a_baseline(
    gate: dict[str, Any], more: dict[str, Any], held: bool, reports: Path
) -> None:
    folder = made_run(reports, 1, verdict="inconclusive", generator_limited=more.get("generator_limited"))
    judged = read_model(folder.summary, Summary)
    gates = [GateResult(require="error_rate < 1%", status="pass"), GateResult(status="inconclusive", **gate)]
    judged = judged.model_copy(update={"gates": gates, "exit_code": 3})
    write_text(folder.summary, judged.to_json())
    result = baseline(reports, "set", "latest", "--up-to", "3")
    assert (result.exit_code, result.code) == ((0, None) if held else (2, "baseline-run-undecided")), result.err
    assert len(baseline(reports, "list", "--json").json) == held
    assert baseline(reports, "set", "latest", "--up-to", "3", "--force").exit_code == 0


def test_an_interrupted_run_is_no_baseline_unless_forced(reports: Path) -> None:
    folder = made_run(reports, 1, verdict="inconclusive")
    judged = read_model(folder.summary, Summary).model_copy(update={"exit_code": 130})
    write_text(folder.summary, judged.to_json())
    for more in ([], ["--add"], ["--up-to", "3"]):
        result = baseline(reports, "set", "latest", *more)
        assert (result.exit_code, result.code) == (2, "baseline-run-interrupted")
    assert baseline(reports, "set", "latest", "--force").exit_code == 0


def test_set_prints_the_baseline_as_json(reports: Path) -> None:
    folder = made_run(reports, 1)
    result = baseline(reports, "set", "latest", "--json")
    assert result.err == ""
    assert (result.json["scenario"], result.json["profile"], result.json["fingerprint"]) == (
        "flash_sale",
        "load",
        "f1e2d3c4",
    )
    (run,) = result.json["runs"]
    assert run["run_id"] == folder.run_id
    p95 = run["figures"]["held"][""]["p95"]
    assert p95["low"] < p95["value"] < p95["high"]


def test_a_run_whose_journal_was_cut_off_is_no_baseline(reports: Path) -> None:
    folder = made_run(reports, 1)
    recorded = folder.journal.read_bytes()
    folder.journal.write_bytes(recorded[: len(recorded) // 2])
    refused = baseline(reports, "set", folder.run_id)
    assert (refused.exit_code, refused.code) == (2, "run-not-complete")
    assert refused.error is not None
    assert refused.error.params["run_id"] == folder.run_id


@pytest.mark.parametrize(("verdict", "code"), [("fail", "baseline-run-failed"), ("broken", "baseline-run-broken")])
def test_set_refuses_a_run_that_did_not_hold_unless_forced(verdict: Verdict, code: str, reports: Path) -> None:
    folder = made_run(reports, 1, verdict=verdict)
    result = baseline(reports, "set", "latest")
    assert (result.exit_code, result.code) == (2, code)
    assert result.error is not None
    assert (result.error.params["reason"], result.error.params["force"]) == (REASON, Option("force"))
    assert baseline(reports, "list", "--json").json == []
    assert baseline(reports, "set", "latest", "--force", "--json").json["runs"][0]["run_id"] == folder.run_id


def test_set_takes_an_inconclusive_run(reports: Path) -> None:
    made_run(reports, 1, verdict="inconclusive")  # as is each first run with a relative gate: there is no baseline yet
    assert baseline(reports, "set", "latest").exit_code == 0


def test_set_says_which_phases_gates_will_not_use(reports: Path) -> None:
    made_run(reports, 1, generator_limited="a worker was at 98 % of its core")
    result = baseline(reports, "set", "latest")
    assert "held" in result.err
    assert "1.1" not in result.err


def test_set_uses_the_teams_store(reports: Path, tmp_path: Path) -> None:
    made_run(reports, 1)
    team = f"sqlite:///{tmp_path}/team.sqlite"
    assert f"{tmp_path}/team.sqlite" in baseline(reports, "set", "latest", store=team).err
    assert len(baseline(reports, "list", "--json", store=team).json) == 1
    assert not (reports / "store.sqlite").exists()


def test_set_names_the_file_of_a_damaged_run_folder(reports: Path) -> None:
    folder = made_run(reports, 1)
    folder.environment.write_text("{}")
    result = baseline(reports, "set", "latest")
    assert (result.exit_code, result.code) == (2, "file-damaged")
    assert result.error is not None
    assert result.error.where == str(folder.environment)


def test_set_of_a_run_that_is_not_there(reports: Path) -> None:
    result = baseline(reports, "set", "20260101T000000Z-x")
    assert (result.exit_code, result.code) == (2, "run-not-found")


def test_set_of_a_run_that_was_never_judged_says_how_to(reports: Path) -> None:
    made_run(reports, 1).summary.unlink()
    result = baseline(reports, "set", "latest")
    assert (result.exit_code, result.code) == (2, "run-not-judged")


# ---------------------------------------------------------------------------------------------- list, show, rm


@pytest.mark.slow
def test_the_real_command_keeps_its_two_outputs_apart(three: Path) -> None:
    call = [sys.executable, "-m", "harness", "baseline", "list", "--out", str(three)]
    for_people = subprocess.run(call, capture_output=True, text=True, timeout=60, check=True)
    assert for_people.stdout == ""
    assert "flash_sale" in for_people.stderr
    for_programs = subprocess.run([*call, "--json"], capture_output=True, text=True, timeout=60, check=True)
    assert len(json.loads(for_programs.stdout)) == 3
    assert for_programs.stderr == ""


@pytest.fixture
def three(reports: Path) -> Path:
    """A store with three baselines: one of two runs, one of another profile, one of another environment."""
    with open_store(None, reports) as store:
        store.set_baseline(make_entry(1), replace=True)
        store.set_baseline(make_entry(2, p95=12_340), replace=False)
        store.set_baseline(make_entry(3, fingerprint="f2"), replace=True)
        store.set_baseline(make_entry(4, profile="smoke"), replace=True)
    return reports


def test_list_shows_each_baseline_once(three: Path) -> None:
    result = baseline(three, "list")
    assert (result.exit_code, result.out) == (0, "")
    rows = [line.split() for line in result.err.splitlines() if "flash_sale" in line]
    assert [(row[3], row[5], row[7]) for row in rows] == [
        ("load", "f1", "2"),
        ("load", "f2", "1"),
        ("smoke", "f1", "1"),
    ]
    assert "2026-02-02 10:00" in result.err  # when the latest of the first one's runs started


def test_list_of_an_empty_store_says_how_to_set_one(reports: Path) -> None:
    reports.mkdir()
    assert "harness baseline set latest" in baseline(reports, "list").err


def test_reading_commands_make_no_folder(reports: Path) -> None:
    result = baseline(reports, "list")
    assert (result.exit_code, result.code) == (2, "out-not-found")
    assert not reports.exists()


def test_show_draws_every_run_and_phase_in_units(three: Path) -> None:
    result = baseline(three, "show", "flash_sale", "--profile", "load", "--fingerprint", "f1")
    assert (result.exit_code, result.out) == (0, "")
    assert "flash_sale · load · environment f1" in result.err
    assert result.err.index(make_measurement(2).run_id) < result.err.index(make_measurement(1).run_id)
    held = [line.replace("\N{NO-BREAK SPACE}", " ") for line in result.err.splitlines() if "held" in line]
    for shown in ("12.3 s", "0.5 %", "480/s"):
        assert shown in held[0]
    assert "200 ms" in held[1]
    warm_up = next(line for line in result.err.splitlines() if "warm-up" in line)
    assert "–" in warm_up  # a figure that was not measured


def test_show_of_all_as_json(three: Path) -> None:
    shown = baseline(three, "show", "--json").json
    assert [(entry["profile"], entry["fingerprint"]) for entry in shown] == [
        ("load", "f1"),
        ("load", "f2"),
        ("smoke", "f1"),
    ]
    assert shown[0]["runs"][0]["figures"]["held"][""]["p95"]["value"] == 12_340


def test_show_of_what_is_not_there_names_what_is(three: Path) -> None:
    result = baseline(three, "show", "flash_sael", "--profile", "load")
    assert (result.exit_code, result.code) == (2, "baseline-not-found")
    assert result.error is not None
    assert result.error.params["wanted"] == ["scenario flash_sael", "profile load"]
    assert "flash_sale · smoke · environment f1" in result.err


def test_show_of_an_empty_store_says_how_to_set_one(reports: Path) -> None:
    reports.mkdir()
    result = baseline(reports, "show")
    assert (result.exit_code, result.code) == (2, "baseline-none-yet")


def test_rm_asks_which_where_there_are_several(three: Path) -> None:
    result = baseline(three, "rm", "flash_sale")
    assert (result.exit_code, result.code) == (2, "baseline-ambiguous")
    assert result.error is not None
    assert result.error.params["count"] == 3
    assert "load f2" in result.err
    assert len(baseline(three, "list", "--json").json) == 3


def test_rm_removes_one_run_or_the_whole(three: Path) -> None:
    which = ["flash_sale", "--profile", "load", "--fingerprint", "f1"]
    assert baseline(three, "rm", *which, "--run", make_measurement(1).run_id).exit_code == 0
    assert len(baseline(three, "show", *which, "--json").json[0]["runs"]) == 1
    result = baseline(three, "rm", *which, "--json")
    assert result.json == {"removed": [make_measurement(2).run_id]}
    assert baseline(three, "rm", "flash_sale", "--profile", "smoke").exit_code == 0
    assert len(baseline(three, "list", "--json").json) == 1


def test_rm_of_a_run_that_is_not_in_it(three: Path) -> None:
    result = baseline(three, "rm", "flash_sale", "--profile", "smoke", "--run", "other")
    assert (result.exit_code, result.code) == (2, "baseline-lacks-run")
    assert result.error is not None
    runs = [make_measurement(4, profile="smoke").run_id]
    assert (result.error.params["run_id"], result.error.params["runs"]) == ("other", runs)


def test_what_a_store_holds_reaches_the_terminal_without_its_controls(reports: Path) -> None:
    with open_store(None, reports) as store:
        store.set_baseline(make_entry(scenario="sh\x1b[31mop\u202e", fingerprint="f\x07"), replace=True)
    for words in (["list"], ["show"], ["show", "cart"], ["rm", "sh\x1b[31mop\u202e"]):
        said = baseline(reports, *words).err
        assert "shop" in said
        assert not {"\x1b", "\x07", "\u202e"} & set(said)


# ------------------------------------------------------------------------------------- window and accept


def test_a_window_is_set_by_any_run_of_it_and_takes_the_others_by_itself(reports: Path) -> None:
    with open_store(None, reports) as store:
        for number in (1, 2):
            store.record_run(make_entry(number, fingerprint="f1e2d3c4"))
    failed = made_run(reports, 3, verdict="fail")
    shown = baseline(reports, "set", str(failed.path), "--window", "10", "--json").json
    assert shown["window"] == 10
    assert [run["run_id"] for run in shown["runs"]] == [make_summary(number).run_id for number in (2, 1)]
    (entry,) = baseline(reports, "list", "--json").json
    assert entry["window"] == 10
    result = baseline(reports, "rm", "flash_sale", "--run", make_summary(1).run_id)
    assert (result.exit_code, result.code) == (2, "baseline-run-of-window")
    assert baseline(reports, "rm", "flash_sale").exit_code == 0
    assert baseline(reports, "list", "--json").json == []


def test_a_window_leaves_pinned_runs_and_says_how_to_remove_them(reports: Path) -> None:
    runs = [made_run(reports, number) for number in (1, 2)]
    baseline(reports, "set", str(runs[0].path))
    result = baseline(reports, "set", str(runs[1].path), "--window", "10")
    assert result.exit_code == 0
    command = shlex.split(result.err[result.err.index("harness baseline rm") :])
    assert command[3:] == ["flash_sale", "--profile", "load", "--fingerprint", "f1e2d3c4", "--out", str(reports)]
    assert harness(*command[1:]).exit_code == 0
    (entry,) = baseline(reports, "list", "--json").json
    assert (entry["window"], len(entry["run_ids"])) == (10, 2)


def test_a_window_takes_no_other_choice_of_runs(reports: Path) -> None:
    made_run(reports, 1)
    for option in (["--add"], ["--up-to", "3"], ["--force"]):
        assert baseline(reports, "set", "latest", "--window", "10", *option).exit_code == 2
    assert baseline(reports, "set", "latest", "--window", "0").exit_code == 2


def test_an_intended_change_is_accepted_with_its_reason(reports: Path) -> None:
    baseline(reports, "set", str(made_run(reports, 1).path))
    changed = made_run(reports, 2, verdict="fail")
    assert baseline(reports, "accept", "latest", "--why", " ").exit_code == 2
    assert baseline(reports, "accept", "latest").exit_code == 2
    assert baseline(reports, "accept", "latest", "--why", " checks\nstock twice\n").exit_code == 0
    (shown,) = baseline(reports, "show", "--json").json
    assert [run["run_id"] for run in shown["runs"]] == [changed.run_id]
    assert (shown["accepted"]["run_id"], shown["accepted"]["why"]) == (changed.run_id, "checks stock twice")
    assert "checks stock twice" in baseline(reports, "show").err
    made_run(reports, 3, verdict="broken")
    assert baseline(reports, "accept", "latest", "--why", "whatever").exit_code == 2


@pytest.mark.parametrize("words", [("accept", "--why", "checks stock twice"), ("set",), ("set", "--window", "10")])
def test_a_run_whose_folder_is_gone_becomes_the_baseline(words: tuple[str, ...], reports: Path) -> None:
    entry = make_entry(1, verdict="pass")
    with open_store(None, reports) as store:
        store.record_run(replace(entry, commit="c1"))
    (before,) = harness("runs", "--json", "--out", reports).json
    result = baseline(reports, *words, entry.summary.run_id)
    assert (result.exit_code, result.code) == (0, None)
    (listed,) = baseline(reports, "list", "--json").json
    assert listed["run_ids"] == [entry.summary.run_id]
    (after,) = harness("runs", "--json", "--out", reports).json
    assert {**after, "baseline": None} == before


def test_a_run_that_neither_a_folder_nor_the_store_has_is_not_found(reports: Path) -> None:
    with open_store(None, reports) as store:
        store.record_run(make_entry(1))
    result = baseline(reports, "accept", make_entry(2).summary.run_id, "--why", "whatever")
    assert (result.exit_code, result.code) == (2, "run-not-found")

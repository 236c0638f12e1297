"""``harness history`` as its user calls it, on SQLite and PostgreSQL."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from harness.record.measurement import Interval
from harness.store import open_store
from tests.support.baselines import make_entry, make_summary
from tests.support.in_process import Said, harness


def history(reports: Path, store: str, *words: str) -> Said:
    return harness("history", *words, "--out", str(reports), store=store)


@pytest.fixture
def stepped(store_url: str, tmp_path: Path) -> str:
    """A store with a P95 of 200 ms in six runs, then of 260 ms in four, of which the second failed and the third is
    accepted."""
    with open_store(store_url, tmp_path) as store:
        for number in range(1, 11):
            entry = make_entry(
                number, p95=(200 if number <= 6 else 260) + number % 3, verdict="fail" if number == 8 else "pass"
            )
            store.record_run(replace(entry, commit=f"c{number}"))
        store.record_run(make_entry(11, verdict="broken", p95=9000))
        store.record_run(make_entry(12, profile="other"))
        store.accept(make_entry(9, p95=260), "a second look at the stock", most=10)
    return store_url


@pytest.mark.slow
def test_a_step_is_named_with_its_runs_commits_and_acceptance(stepped: str, tmp_path: Path) -> None:
    shown = history(tmp_path, stepped, "flash_sale", "--profile", "load", "--json").json
    assert [run["run_id"] for run in shown["runs"]] == [make_summary(number).run_id for number in range(1, 11)]
    (p95,) = [one for one in shown["series"] if (one["phase"], one["metric"]) == ("held", "p95")]
    assert len(p95["figures"]) == 10
    (step,) = p95["steps"]
    assert [(step[side]["run_id"], step[side]["commit"]) for side in ("before", "after")] == [
        (make_summary(6).run_id, "c6"),
        (make_summary(7).run_id, "c7"),
    ]
    assert step["change"] == pytest.approx(0.3, abs=0.02)
    assert step["meaning"] == "worse"
    assert step["accepted"]["why"] == "a second look at the stock"
    said = history(tmp_path, stepped, "flash_sale", "--profile", "load", "--metric", "p95")
    assert (said.exit_code, said.out) == (0, "")
    assert {"c6", "c7", "a second look at the stock"} <= {
        word for word in ("c6", "c7", "a second look at the stock") if word in " ".join(said.err.split())
    }
    assert "throughput" not in said.err


@pytest.mark.slow
def test_an_acceptance_stands_at_the_step_that_it_is_about(store_url: str, tmp_path: Path) -> None:
    """P50 improves on the fifth night, P95 gets worse on the tenth, and the twelfth night is accepted."""
    with open_store(store_url, tmp_path) as store:
        for number in range(1, 13):
            entry = make_entry(number, p95=(200 if number < 10 else 260) + number % 3)
            assert entry.measurement is not None
            figures = entry.measurement.phases[1].endpoints[""].figures
            p50 = (60 if number < 5 else 40) + number % 3
            figures["p50"] = Interval(value=p50, low=p50 - 1, high=p50 + 1)
            store.record_run(entry)
        store.accept(entry, "a second look at the stock", most=10)
    shown = history(tmp_path, store_url, "flash_sale.py", "--json").json
    steps = {(one["metric"], step["meaning"]): step for one in shown["series"] for step in one["steps"]}
    assert {step: bool(found["accepted"]) for step, found in steps.items()} == {
        ("p50", "better"): False,
        ("p95", "worse"): True,
    }


def test_a_history_is_written_as_page_markdown_and_json(stepped: str, tmp_path: Path) -> None:
    files = [tmp_path / f"history{suffix}" for suffix in (".html", ".md", ".json")]
    words = ["flash_sale", "--profile", "load", *(word for file in files for word in ("--report", str(file)))]
    assert history(tmp_path, stepped, *words).exit_code == 0
    page, markdown, data = (file.read_text() for file in files)
    shown = history(tmp_path, stepped, "flash_sale", "--profile", "load", "--json")
    assert json.loads(data) == shown.json
    drawn = [series for series in shown.json["series"] if not series["endpoint"] or series["steps"]]
    assert page.count('class="dot"') == sum(len(series["figures"]) for series in drawn)
    assert page.count('class="step worse"') == sum(len(series["steps"]) for series in drawn) > 0
    for text in (page, markdown):
        assert ("c6" in text, "c7" in text, "a second look at the stock" in text) == (True, True, True)


def test_one_run_only_is_a_history_without_steps(store_url: str, tmp_path: Path) -> None:
    with open_store(store_url, tmp_path) as store:
        store.record_run(make_entry(1))
    shown = history(tmp_path, store_url, "flash_sale", "--json").json
    assert len(shown["runs"]) == 1
    assert {len(series["steps"]) for series in shown["series"]} == {0}
    assert history(tmp_path, store_url, "flash_sale").exit_code == 0


def test_runs_in_which_others_took_the_cores_are_counted(store_url: str, tmp_path: Path) -> None:
    with open_store(store_url, tmp_path) as store:
        for number in range(1, 4):
            entry = make_entry(number)
            assert entry.measurement is not None
            entry.measurement.phases[1].too_contaminated = number < 3
            store.record_run(entry)
    assert history(tmp_path, store_url, "flash_sale", "--json").json["beside_others"] == {"held": 2}
    said = history(tmp_path, store_url, "flash_sale")
    assert "In 2 of 3 runs" in " ".join(said.err.split())


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (["flash_sail"], "flash_sale"),
        (["flash_sale", "--metric", "p59"], "p50"),
        (["flash_sale", "--profile", "nightly"], "load f1"),
        (["flash_sale", "--fingerprint", "f2"], "load f1"),
    ],
)
def test_what_the_store_does_not_have_is_an_error_that_names_what_it_has(
    words: list[str], named: str, stepped: str, tmp_path: Path
) -> None:
    said: Any = history(tmp_path, stepped, *words)
    assert (said.exit_code, named in said.err) == (2, True), said.err
